// The operator's order to read the records again: who may give it, and what comes back when they cannot be read.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createOperatorRouter, type OperatorDoorParts } from '../../edge-node/api/operator.ts';
import { createConsentGate } from '../../edge-node/data/gate.ts';
import { createApp, listen, problemHandler } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import { CONTRACT, csvOf, SQL_ROWS, writeCsv } from './data-world.ts';

test('records are read again on the operator\u2019s word, and a failed reading changes nothing', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'concordat-reload-'));
  const place = writeCsv(folder, csvOf(SQL_ROWS.slice(0, 5)));
  const gate = await createConsentGate(place, CONTRACT);
  const app = createApp();
  app.use(createOperatorRouter({ token: 't0ken', gate } as unknown as OperatorDoorParts));
  app.use(problemHandler(createLog('edge', 'silent')));
  const http = await listen(app, 0);
  try {
    const reload = (token: string) =>
      fetch(`${http.url}/v1/records/reload`, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    writeCsv(folder, csvOf(SQL_ROWS.slice(0, 8)));
    expect((await reload('guess')).status).toBe(401);
    expect(gate.recordCount).toBe(5);
    expect(await (await reload('t0ken')).json()).toEqual({ records: 8 });
    writeFileSync(place.records, 'half a f');
    const failed = await reload('t0ken');
    expect([failed.status, gate.recordCount]).toEqual([422, 8]);
    expect(await failed.json()).toMatchObject({ code: 'DATA_BREAKS_CONTRACT' });
  } finally {
    await http.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
