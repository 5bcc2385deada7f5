// [AGG-13] Every planted fault, in a small honest history made in memory, whose parties' keys are at hand for lies that are signed.
import { INSIDERS } from '../helpers/audit/all-faults.ts';
import { PRIVACY_FAULTS, privateHistory } from '../helpers/audit/faults-privacy.ts';
import { describeFaults, describePlantedFaults } from '../helpers/audit/planted-faults.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

describePlantedFaults('a synthetic federation', () => syntheticFederation(), INSIDERS);
describeFaults('a history under differential privacy', privateHistory, PRIVACY_FAULTS);
