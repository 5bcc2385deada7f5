// [AGG-13] Every planted fault, in a small honest history made in memory, whose parties' keys are at hand for lies that are signed.
import { INSIDERS } from '../helpers/audit/faults-insiders.ts';
import { describePlantedFaults } from '../helpers/audit/planted-faults.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

describePlantedFaults('a synthetic federation', () => syntheticFederation(), INSIDERS);
