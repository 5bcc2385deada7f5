// Plain text tables: aligned columns, numbers to the right, colour only on a terminal.
import { stripVTControlCharacters, styleText } from 'node:util';

export type Align = 'left' | 'right';

const width = (text: string): number => [...stripVTControlCharacters(text)].length;

/** @param align one per column; the first row is the head */
export function table(rows: readonly (readonly string[])[], align: readonly Align[]): string {
  const widths = align.map((_, column) => Math.max(...rows.map((row) => width(row[column] ?? ''))));
  const pad = (text: string, column: number) => {
    const blanks = ' '.repeat((widths[column] ?? 0) - width(text));
    return align[column] === 'right' ? blanks + text : text + blanks;
  };
  const line = (row: readonly string[]) =>
    align
      .map((_, column) => pad(row[column] ?? '', column))
      .join('  ')
      .trimEnd();
  const [head = [], ...body] = rows;
  return [line(head), widths.map((w) => '─'.repeat(w)).join('  '), ...body.map(line)].join('\n');
}

/** Styles that vanish in a pipe. */
export function palette(isTty: boolean) {
  const style = (format: Parameters<typeof styleText>[0]) => (text: string) => (isTty ? styleText(format, text) : text);
  return { bold: style('bold'), dim: style('dim'), good: style('green'), bad: style('red'), accent: style('cyan') };
}
