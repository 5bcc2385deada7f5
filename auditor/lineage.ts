// The line of deployments that a federation carries on, as the chain tells it: one history after the other, the audited one last.
import type { ChainEvent, History } from './history.ts';

/** A contract is deployed after the one it carries on, so no line of honest contracts is endless; a forged one may be. */
export const LONGEST_LINE = 1_000;

/** Oldest first. */
export function lineOf(history: History): readonly History[] {
  const line: History[] = [];
  for (let next: History | undefined = history; next !== undefined; next = next.predecessor) line.unshift(next);
  return line;
}

/** Every event of the line; a deployment's stand before its successor's, whose own begin when it is named. */
export const eventsOfLine = (history: History): ChainEvent[] => lineOf(history).flatMap(({ events }) => events);
