// Run by embedded.test.ts as a process of its own: starts a chain, deploys, and waits to be killed.
import { createChainClient } from '../../engines/chain/client.ts';
import { deployFederation } from '../../engines/chain/deploy.ts';
import { startEmbeddedChain } from '../../engines/chain/embedded.ts';
import { createFederation } from '../../engines/chain/federation.ts';
import { addressOf, keyOf, PARAMETERS, testArtifacts } from './world.ts';

const [dir = '', stateFile = ''] = process.argv.slice(2);
// snapshots off: what survives is what the dying chain wrote
const chain = await startEmbeddedChain({ dir, stateFile, snapshotEveryMs: 0 });
await chain.fund(addressOf('operator'), 10n ** 20n);
const client = await createChainClient({ rpcUrl: chain.rpcUrl, privateKey: keyOf('operator') });
const at = await deployFederation(client, await testArtifacts(), {
  operator: addressOf('operator'),
  parameters: PARAMETERS,
  setup: 'single-operator',
});
await createFederation(client, at.federation).registerDealer(addressOf('dealer-1'));
process.send?.({ rpcUrl: chain.rpcUrl, federation: at.federation });
