// The plumbing: errors across HTTP, a busy port, files that are whole or absent, tables and plain progress.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express, { type RequestHandler } from 'express';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../kit/clock.ts';
import { readFileOrExplain, writeFileAtomic } from '../../kit/files.ts';
import { createApp, type HttpService, listen, problemHandler, request, requestJson } from '../../kit/http.ts';
import { createLog } from '../../kit/log.ts';
import { requireOperator } from '../../kit/operator.ts';
import { putFile } from '../../kit/put-file.ts';
import { ConcordatError } from '../../protocol/errors.ts';
import { table } from '../../scripts/federate/table.ts';

const log = createLog('test', 'silent');
let service: HttpService | undefined;
afterEach(async () => {
  await service?.close();
  service = undefined;
});

async function serve(): Promise<string> {
  const app = createApp();
  app.get('/refuses', () => {
    throw new ConcordatError('SET_REFUSED', 'twice', { round: 7 });
  });
  app.get('/breaks', () => {
    throw new Error('with a secret in it');
  });
  app.post('/small', express.json({ limit: 10 }), (_request, response) => void response.json({}));
  app.get('/guarded', requireOperator('the-token'), (_request, response) => void response.json({ in: true }));
  app.use(problemHandler(log));
  service = await listen(app, 0);
  return service.url;
}

describe('errors across HTTP', () => {
  test('a typed error arrives as the same typed error', async () => {
    const url = await serve();
    await expect(request(`${url}/refuses`)).rejects.toMatchObject({
      code: 'SET_REFUSED',
      detail: 'twice',
      fields: { round: 7 },
    });
  });

  test('an unexpected error tells nothing of itself', async () => {
    const url = await serve();
    const response = await fetch(`${url}/breaks`);
    expect(response.status).toBe(500);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.text()).not.toContain('secret');
  });

  test('a body over its limit is MESSAGE_TOO_LARGE', async () => {
    const url = await serve();
    const body = JSON.stringify({ long: 'x'.repeat(100) });
    await expect(requestJson(`${url}/small`, { method: 'POST', body })).rejects.toMatchObject({
      code: 'MESSAGE_TOO_LARGE',
    });
  });

  test('nobody there is TIMED_OUT, soon', async () => {
    await expect(request('http://127.0.0.1:9/')).rejects.toMatchObject({ code: 'TIMED_OUT' });
  });

  test('the operator’s door opens to the token and to nothing else', async () => {
    const url = await serve();
    const headers = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
    await expect(requestJson(`${url}/guarded`, headers('the-token'))).resolves.toEqual({ in: true });
    for (const wrong of ['', 'the-toke', 'the-token2']) {
      await expect(requestJson(`${url}/guarded`, headers(wrong))).rejects.toMatchObject({ code: 'SIGNATURE_INVALID' });
    }
  });

  test('a port in use is named', async () => {
    await serve();
    await expect(listen(createApp(), service?.port ?? 0)).rejects.toMatchObject({
      code: 'PROCESS_FAILED',
      fields: { port: service?.port },
    });
  });
});

describe('a file as a request body', () => {
  async function withFile(bytes: number, use: (path: string) => Promise<void>): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), 'concordat-put-'));
    const path = join(directory, 'file');
    await writeFileAtomic(path, 'x'.repeat(bytes));
    await use(path).finally(() => rm(directory, { recursive: true }));
  }
  async function receive(handler: RequestHandler): Promise<string> {
    const app = createApp();
    app.put('/', handler);
    app.use(problemHandler(log));
    service = await listen(app, 0);
    return service.url;
  }

  test('an empty one arrives too, and the answer comes back', async () => {
    const url = await receive((request, response) => {
      request.resume().on('end', () => response.json({ bytes: request.headers['content-length'] }));
    });
    await withFile(0, async (path) => {
      const answer = await putFile(url, { path, bytes: 0 });
      expect(new TextDecoder().decode(answer)).toBe('{"bytes":"0"}');
    });
  });

  test('nobody answers, or the file is gone: TIMED_OUT, soon, and not a rejection that nobody sees', async () => {
    const url = await receive((request) => void request.resume());
    await withFile(100, async (path) => {
      await expect(putFile(url, { path, bytes: 100 }, 200)).rejects.toMatchObject({ code: 'TIMED_OUT' });
      await expect(putFile(url, { path: `${path}.gone`, bytes: 100 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
    });
  });

  test('a file shorter or longer than announced is never taken for a whole one', async () => {
    const whole: number[] = [];
    const url = await receive((request, response) => {
      let bytes = 0;
      request.on('data', (part: Uint8Array) => {
        bytes += part.length;
      });
      request.on('end', () => {
        whole.push(bytes);
        response.json({});
      });
    });
    await withFile(100, async (path) => {
      await expect(putFile(url, { path, bytes: 101 }, 500)).rejects.toMatchObject({ code: 'TIMED_OUT' });
      await putFile(url, { path, bytes: 99 }, 500).catch((error: unknown) =>
        expect(error).toBeInstanceOf(ConcordatError),
      );
    });
    expect(whole).not.toContain(101);
    expect(whole).not.toContain(100);
  });

  test('an answer without end is refused', async () => {
    const url = await receive((request, response) => {
      request.resume().on('end', () => response.send(Buffer.alloc(65_537)));
    });
    await withFile(1, async (path) => {
      await expect(putFile(url, { path, bytes: 1 })).rejects.toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    });
  });

  test('a refusal that is no problem document gives its status', async () => {
    const url = await receive((request, response) => {
      request.resume().on('end', () => response.status(502).send('<html>bad gateway</html>'));
    });
    await withFile(1, async (path) => {
      await expect(putFile(url, { path, bytes: 1 })).rejects.toMatchObject({
        code: 'PROCESS_FAILED',
        fields: { status: 502 },
      });
    });
  });

  test.each([['constructor'], ['toString'], [7], [null]])('nor is one whose code is %s', async (code) => {
    const url = await receive((request, response) => {
      request.resume().on('end', () => response.status(409).json({ code, detail: 'x', fields: {} }));
    });
    await withFile(1, async (path) => {
      await expect(putFile(url, { path, bytes: 1 })).rejects.toMatchObject({ code: 'PROCESS_FAILED' });
    });
  });
});

describe('files', () => {
  test('an atomic write makes its folder, replaces the old file and leaves nothing beside it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'concordat-kit-'));
    const path = join(directory, 'a/b.txt');
    await writeFileAtomic(path, 'one');
    await writeFileAtomic(path, 'two');
    expect(await readFile(path, 'utf8')).toBe('two');
    expect(await readdir(join(directory, 'a'))).toEqual(['b.txt']);
    await rm(directory, { recursive: true });
  });

  test('a missing file is named', async () => {
    await expect(readFileOrExplain('/nowhere/at/all')).rejects.toMatchObject({ code: 'FILE_MISSING' });
  });
});

test('a sleep that is aborted ends, and leaves no listener behind', async () => {
  const stop = new AbortController();
  const slept = systemClock.sleep(60_000, stop.signal);
  stop.abort();
  await slept;
  await systemClock.sleep(60_000, stop.signal);
});

test('a table aligns numbers to the right and ignores colour codes', () => {
  const text = table(
    [
      ['', 'n'],
      ['\u001b[32mgreen\u001b[39m', '1'],
      ['b', '1,000'],
    ],
    ['left', 'right'],
  );
  expect(text.split('\n').slice(2)).toEqual(['\u001b[32mgreen\u001b[39m      1', 'b      1,000']);
});
