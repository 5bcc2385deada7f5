// What a coordinator answers in the place of a file: an error of its own is never this node's judgement of a model.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { blobsOf } from '../../edge-node/train/fetch-base.ts';
import { openedOf } from '../../edge-node/train/published-files.ts';
import { createApp, type HttpService, listen } from '../../kit/http.ts';
import type { ErrorCode } from '../../protocol/errors.ts';
import { codeOf } from './secagg-fixtures.ts';

let http: HttpService;
let code: ErrorCode;
beforeAll(async () => {
  const app = createApp();
  app.use((_request, response) => {
    response
      .status(409)
      .type('application/problem+json')
      .send(JSON.stringify({ code, detail: 'so it says', fields: {} }));
  });
  http = await listen(app, 0);
});
afterAll(() => http.close());

test.each<[ErrorCode, string]>([
  ['MODEL_UNPROVEN', 'MESSAGE_MALFORMED'],
  ['NOT_FOUND', 'NOT_FOUND'],
])('%s in an answer is %s here', async (answered, taken) => {
  code = answered;
  expect(await codeOf(() => blobsOf(http.url)(`0x${'11'.repeat(32)}`, 100))).toBe(taken);
  expect(await codeOf(() => openedOf(http.url)(3))).toBe(taken);
});
