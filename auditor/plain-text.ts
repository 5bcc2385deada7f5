// Text of a history that nobody here wrote, made safe to print: what moves a cursor or turns a line around is shown, and not done.

/** Control characters, and those that reorder or hide what stands beside them. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
/** A name of a megabyte would bury the verdict. */
const MOST_CHARACTERS = 20_000;

/** On one line: a report lays its own. */
export function plainText(text: string): string {
  const seen = text.replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
  return seen.length <= MOST_CHARACTERS ? seen : `${seen.slice(0, MOST_CHARACTERS)} … (${seen.length} characters)`;
}
