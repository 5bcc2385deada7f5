// The operator token of a service: derived from its secret, written where only its owner can read it.
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { writeFileAtomic } from '../../kit/files.ts';
import type { Identity } from './identity.ts';

export const OPERATOR_TOKEN_FILE = 'operator-token';

export async function writeOperatorToken(identity: Identity, directory: string): Promise<string> {
  const token = createHmac('sha256', identity.secret).update('concordat/1/operator-token').digest('base64url');
  await writeFileAtomic(join(directory, OPERATOR_TOKEN_FILE), token, 0o600);
  return token;
}
