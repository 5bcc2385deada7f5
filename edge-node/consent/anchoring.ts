// Anchoring: whatever the book took in since the last epoch is co-signed by the witnesses and put on chain.
import type { ConsentRegistry } from '../../engines/chain/consent-registry.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import { anchoredRoot } from '../../protocol/consent/anchor.ts';
import type { ConsentState } from '../../protocol/consent/state.ts';
import type { AnchorProposal, AnchorProposer } from './anchor-proposal.ts';
import type { ForcedWithdrawals } from './forced.ts';

export interface AnchoringParts {
  readonly proposer: AnchorProposer;
  readonly registry: ConsentRegistry;
  /** Signatures of the witnesses over the proposed anchor (EIP-712 `Anchor`). */
  readonly coSign: (proposal: AnchorProposal) => Promise<readonly Hex[]>;
  /** Left out only where nobody is ever forced out, as in a benchmark. */
  readonly forced?: ForcedWithdrawals;
  /** The root that was current before the new anchor. */
  readonly onRootMoved: (previous: Hex | undefined) => void;
  readonly log: Log;
}

export interface Anchoring {
  /** Anchors everything the book holds, withdrawals forced on chain included; resolves with the state that is then on chain. Calls queue. */
  flush(): Promise<{ readonly epoch: number; readonly state: ConsentState }>;
  /** What is on chain now, without anchoring anything. */
  anchored(): { readonly epoch: number; readonly state: ConsentState };
  gasUsed(): number;
}

export function createAnchoring(parts: AnchoringParts): Anchoring {
  let queue: Promise<unknown> = Promise.resolve();
  let gasUsed = 0;

  async function anchorAll() {
    for (;;) {
      await parts.forced?.takeIn();
      const proposal = await parts.proposer.propose();
      if (proposal === undefined) {
        const anchored = parts.proposer.anchored();
        await parts.forced?.acknowledge(anchored.state);
        return anchored;
      }
      const signatures = await parts.coSign(proposal);
      const { epoch, operationCount } = proposal.anchor;
      const before = parts.proposer.anchored();
      const receipt = await parts.registry.anchor(proposal.anchor, signatures);
      gasUsed += receipt.gasUsed;
      parts.proposer.confirm(proposal.anchor);
      parts.onRootMoved(before.epoch === 0 ? undefined : anchoredRoot(before.state.anchor(before.epoch)));
      parts.log.info({ epoch, operationCount, txHash: receipt.txHash }, 'consent anchored');
    }
  }

  return {
    flush: () => {
      const result = queue.then(anchorAll);
      queue = result.catch(() => undefined);
      return result;
    },
    anchored: parts.proposer.anchored,
    gasUsed: () => gasUsed,
  };
}
