// Every planted fault, in a small honest history made in memory.
import { describePlantedFaults } from '../helpers/audit/planted-faults.ts';
import { syntheticFederation } from '../helpers/audit/synthetic-federation.ts';

describePlantedFaults('a synthetic federation', () => syntheticFederation());
