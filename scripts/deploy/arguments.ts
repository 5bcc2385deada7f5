// Arguments of the operator's commands, checked where they come in.
import { InvalidArgumentError } from 'commander';
import type { Hex } from '../../protocol/bytes.ts';

export function url(text: string): string {
  if (!/^https?:\/\/./.test(text)) throw new InvalidArgumentError('An http or https address.');
  return text;
}

export function address(text: string): Hex {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError('An address is 0x and 40 hex digits.');
  return text.toLowerCase() as Hex;
}
