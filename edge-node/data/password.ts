// The password of a database, looked up only when a server asks for one: given by the environment, or a line of a password
// file in libpq's format (host:port:database:user:password, * for any, \ before : and \).
import { open } from 'node:fs/promises';
import { ConcordatError } from '../../protocol/errors.ts';

/** As kit/config.ts finds them in the environment. */
export interface Passwords {
  readonly password: string | undefined;
  readonly file: string;
}

interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
}

export const PASSWORD_ADVICE =
  'put it into ~/.pgpass (readable by its owner only), or name such a file in PGPASSFILE, or set PGPASSWORD';

/** @throws ConcordatError RECORDS_UNREADABLE without a password, or with a file that others may read */
export async function findPassword(passwords: Passwords | undefined, login: Login): Promise<string> {
  const password = passwords && (passwords.password || passwordIn(await readPrivate(passwords.file), login));
  if (!password) throw new ConcordatError('RECORDS_UNREADABLE', `the server asks for a password; ${PASSWORD_ADVICE}`);
  return password;
}

/** A file that is not there holds no password. */
async function readPrivate(file: string): Promise<string> {
  const handle = await open(file).catch(() => undefined);
  if (!handle) return '';
  try {
    // of the opened file, so that nobody exchanges it between the look and the reading
    if (((await handle.stat()).mode & 0o077) !== 0) {
      throw new ConcordatError('RECORDS_UNREADABLE', `${file}: others may read it; chmod 600`, { file });
    }
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}

const LINE = new RegExp(`^${'((?:\\\\.|[^:\\\\])*):'.repeat(4)}(.*)$`);
const unescaped = (text: string) => text.replace(/\\(.)/g, '$1');

/** Of the first line that fits, as PostgreSQL's own programs read it. */
function passwordIn(text: string, { host, port, database, user }: Login): string | undefined {
  const wanted = [host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('#')) continue;
    const [, ...parts] = LINE.exec(line) ?? [];
    const password = parts[4];
    if (password === undefined) continue;
    if (wanted.every((value, i) => parts[i] === '*' || unescaped(parts[i] ?? '') === value)) return unescaped(password);
  }
  return undefined;
}
