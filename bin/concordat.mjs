#!/usr/bin/env node
// The command: registers the TypeScript loader, then hands over to scripts/concordat.ts.
import { register } from 'tsx/esm/api';

register();
await import('../scripts/concordat.ts');
