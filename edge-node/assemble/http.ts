// What an edge node answers over HTTP, put together: its customers' doors, its operator's, and how it is doing.
import type { Express } from 'express';
import type { ChainConnection } from '../../engines/chain/connect.ts';
import type { Identity } from '../../engines/keys/identity.ts';
import { createApp, problemHandler } from '../../kit/http.ts';
import type { Log } from '../../kit/log.ts';
import type { Hex } from '../../protocol/bytes.ts';
import type { RelyingParty } from '../../protocol/consent/assertion.ts';
import { createConsentRouter } from '../api/consent.ts';
import { createOperatorRouter } from '../api/operator.ts';
import { createPersonalRouter } from '../api/personal.ts';
import { createPrivacyRouter } from '../api/privacy.ts';
import { createReceiptRouter } from '../api/receipts.ts';
import { createStatusRouter } from '../api/status.ts';
import { createHistoryDesk } from '../consent/history.ts';
import type { createReadiness } from '../consent/readiness.ts';
import { createReceiptDesk } from '../consent/receipts.ts';
import type { ConsentGate } from '../data/gate.ts';
import type { Participations } from '../participation.ts';
import type { PersonalModels } from '../personal/models.ts';
import { createPrivacyLedger } from '../privacy/ledger.ts';
import type { RoundResult } from '../round.ts';
import type { EdgeTasks } from '../tasks/tasks.ts';
import type { ConsentSide } from './consent.ts';

export interface EdgeAppParts {
  readonly token: string;
  readonly identity: Identity;
  readonly chain: ChainConnection;
  readonly relyingParty: RelyingParty;
  readonly consent: ConsentSide;
  readonly tasks: EdgeTasks;
  readonly gate: ConsentGate;
  readonly participations: Participations;
  readonly personal: PersonalModels;
  readonly readiness: Pick<ReturnType<typeof createReadiness>, 'ready'>;
  readonly roundResults: () => readonly RoundResult[];
  readonly onConsentChange: () => void;
  readonly chainNowSeconds: () => Promise<number>;
  readonly log: Log;
}

export function createEdgeApp(parts: EdgeAppParts): Express {
  const { token, identity, chain, relyingParty, tasks, gate, participations, personal, chainNowSeconds } = parts;
  const { book, quotes, invitations, anchoring, selections, drill } = parts.consent;
  const { hash: firstTask } = tasks.first.task;
  const accepted = () => tasks.accepted().map(({ task }) => task);
  const history = createHistoryDesk({ book, chain, tasks: accepted, chainNowSeconds });
  const desk = createReceiptDesk({ book, chain, identity, relyingParty });
  const privacyOf = (taskHash: Hex = firstTask) => {
    const task = accepted().find(({ hash }) => hash === taskHash);
    return task && createPrivacyLedger({ task, participations, ledger: chain.ledger });
  };

  const app = createApp();
  app.use(createConsentRouter({ book, quotes, anchoring, desk, onChange: parts.onConsentChange }));
  app.use(createReceiptRouter({ token, book, desk, anchoring, participations }));
  app.use(createPrivacyRouter({ token, privacyOf }));
  app.use(createPersonalRouter({ token, models: personal, firstTask }));
  app.use(createOperatorRouter({ token, gate, invitations, drill, participations, history }));
  app.use(
    createStatusRouter(() => ({
      address: identity.address,
      records: gate.recordCount,
      operations: book.state().operationCount,
      policies: book.state().digests().length,
      ready: parts.readiness.ready(),
      costs: selections.costs,
      anchorGas: anchoring.gasUsed(),
      rounds: parts.roundResults(),
      drills: drill.reports(),
      tasks: tasks.standings(),
    })),
  );
  app.use(problemHandler(parts.log));
  return app;
}
