// How a page writes values: nothing of a report reaches the page but through here.

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

/** UTC, to the minute. */
export function time(unixSeconds: number): string {
  const date = new Date(unixSeconds * 1_000);
  return Number.isNaN(date.getTime())
    ? String(unixSeconds)
    : `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

export const percent = (basisPoints: number): string => `${(basisPoints / 100).toFixed(2)} %`;

/** Enough of an address for people to tell two apart. */
export const short = (address: string): string => `${address.slice(0, 8)}…${address.slice(-4)}`;
