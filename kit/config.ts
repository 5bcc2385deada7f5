// What is taken from the environment beside the options of a command line.
import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where PostgreSQL's own programs look for a password. */
export function postgresPasswords(): { readonly password: string | undefined; readonly file: string } {
  return { password: process.env.PGPASSWORD, file: process.env.PGPASSFILE ?? join(homedir(), '.pgpass') };
}
