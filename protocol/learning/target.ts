// What a data contract's label asks a model for, and the way between a cell, a target and a prediction.
import { classOf } from './confusion.ts';
import { CLASSES, type TaskType } from './output.ts';
import { cutToBounds } from './residuals.ts';
import type { Labels } from './strategies/strategy.ts';

export type Cell = string | number;

/** A number's bounds are public: they scale it to [0, 1], and so bound the loss, every error and what noise must hide. */
export type Target =
  | { readonly type: 'binary' }
  | { readonly type: 'classes'; readonly codes: readonly Cell[] }
  | { readonly type: 'regression'; readonly minimum: number; readonly maximum: number };

interface LabelField {
  readonly type: 'string' | 'integer' | 'number';
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly codes: ReadonlySet<Cell> | undefined;
}

/** undefined, or what to write instead. */
export function labelFault(label: LabelField): string | undefined {
  if (targetOfField(label) !== undefined) return undefined;
  const { codes, minimum, maximum } = label;
  if (codes !== undefined) {
    const two = codes.size === 2 ? '; of two, make an integer from 0 to 1' : '';
    return `an enum of ${codes.size} codes is no label: give ${CLASSES.least} to ${CLASSES.most} texts or integers${two}`;
  }
  if (label.type === 'string') return 'a text needs an enum of its classes';
  if (minimum === undefined || maximum === undefined) {
    return 'a number needs a minimum and a maximum: give public bounds that every value lies in, or 0 and 1 for no and yes';
  }
  return 'its minimum must be under its maximum, and the two a finite distance apart';
}

export function targetOfField({ type, minimum, maximum, codes }: LabelField): Target | undefined {
  if (type === 'integer' && minimum === 0 && maximum === 1) return { type: 'binary' };
  if (codes !== undefined) {
    const fits = type !== 'number' && codes.size >= CLASSES.least && codes.size <= CLASSES.most;
    return fits ? { type: 'classes', codes: [...codes] } : undefined;
  }
  if (type === 'string' || minimum === undefined || maximum === undefined) return undefined;
  const range = maximum - minimum;
  return range > 0 && Number.isFinite(range) ? { type: 'regression', minimum, maximum } : undefined;
}

export const taskTypeOf = ({ target }: { readonly target: Target }): TaskType => target.type;

/** Scores that a model of this contract has to a row. */
export const outputsOf = ({ target }: { readonly target: Target }): number =>
  target.type === 'classes' ? target.codes.length : 1;

/** Of cells that passed `validateRow`: 0 or 1, the place in the enum, or the number scaled to [0, 1]. */
export function targetsOf(target: Target, cells: readonly Cell[]): Labels {
  switch (target.type) {
    case 'binary':
      return Uint8Array.from(cells, Number);
    case 'classes': {
      const places = new Map(target.codes.map((code, place) => [code, place]));
      return Uint8Array.from(cells, (cell) => places.get(cell) ?? 0);
    }
    case 'regression': {
      const { minimum, maximum } = target;
      return Float32Array.from(cells, (cell) => (Number(cell) - minimum) / (maximum - minimum));
    }
  }
}

/** Of each row, in the label's own terms: the probability of 1, the code of the likeliest class, or the number. */
export function predictionsOf(target: Target, scores: Float32Array): Cell[] {
  switch (target.type) {
    case 'binary':
      return [...scores];
    case 'classes': {
      const { codes } = target;
      const rows = scores.length / codes.length;
      return Array.from({ length: rows }, (_, r) => codes[classOf(scores, r, codes.length)] ?? '');
    }
    case 'regression': {
      const { minimum, maximum } = target;
      return Array.from(scores, (score) => minimum + cutToBounds(score) * (maximum - minimum));
    }
  }
}
