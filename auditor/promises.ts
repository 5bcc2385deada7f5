// What the federation promises (P1 to P8 of the design), in words for everybody, and what no audit of public data can show of it.

export type PromiseId = 'P1' | 'P2' | 'P3' | 'P4' | 'P5' | 'P6' | 'P7' | 'P8';

export interface FederationPromise {
  readonly id: PromiseId;
  readonly title: string;
  readonly says: string;
  /** What an audit leaves open, and why. */
  readonly leavesOpen: string;
}

export const PROMISES: readonly FederationPromise[] = [
  {
    id: 'P1',
    title: 'Records stay where they are',
    says: 'No customer record, and no dealer’s own update in the clear, leaves the dealer’s computer.',
    leavesOpen:
      'Public data show what the federation was sent: sealed uploads. That a dealer’s computer sends nothing elsewhere leaves no trace in them; its network rules and an inspection on site show it.',
  },
  {
    id: 'P2',
    title: 'Only the sum',
    says: 'Nobody sees a single dealer’s update: only the sum over a group fixed in public is opened, once.',
    leavesOpen: 'Enough key-holders who work together in secret can open more than they publish, and leave no trace.',
  },
  {
    id: 'P3',
    title: 'Live consent',
    says: 'Every record used was covered by a rule of its customer that was in force at that moment.',
    leavesOpen:
      'The records themselves are not public. That a dealer trained on the customers whom it named, and on no others, an inspection on site shows (concordat audit replay).',
  },
  {
    id: 'P4',
    title: 'Customers’ conditions',
    says: 'Customers’ own limits (until when, how accurate, how private) were kept, by the same proofs.',
    leavesOpen: 'The limits are proven and never shown: only a customer’s own page tells what that customer asked for.',
  },
  {
    id: 'P5',
    title: 'Stated privacy',
    says: 'Where noise protects customers, the privacy loss is stated, adds up over the rounds and stays in its budget.',
    leavesOpen:
      'The noise is drawn at each dealer and sealed with the update, so that it was drawn is not seen from outside.',
  },
  {
    id: 'P6',
    title: 'Anyone can check',
    says: 'The chain and the published record are enough to check every round again.',
    leavesOpen:
      'That the last block read is the chain’s own is taken as its endpoint tells it: ask a second endpoint, or give the hash of a block that you know.',
  },
  {
    id: 'P7',
    title: 'Nothing lost, nothing twice',
    says: 'No round has a gap, and no upload, set or answer was used a second time.',
    leavesOpen: 'That a party which was stopped goes on rightly is shown by tests that kill it, not by a history.',
  },
  {
    id: 'P8',
    title: 'Fast',
    says: 'Privacy costs little time next to training.',
    leavesOpen: 'A history has no stopwatch: the benchmarks measure it.',
  },
];
