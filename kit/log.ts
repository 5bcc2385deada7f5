// Structured logs: one JSON line per event to the process's own file or stderr. Secrets are cut out by name.
import { type Logger, pino } from 'pino';

export type Log = Logger;

const REDACT = ['privateKey', 'secret', 'share', 'record', 'salt', 'token', 'invitationCode'].flatMap((name) => [
  name,
  `*.${name}`,
]);

/** @param party who is speaking, e.g. `edge-3` */
export function createLog(party: string, level: string): Log {
  return pino({ name: party, level, redact: REDACT, base: { party } }, pino.destination({ dest: 2, sync: true }));
}
