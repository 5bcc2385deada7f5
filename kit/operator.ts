// The operator's key to a service's own controls: a bearer token in a file only its owner reads.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';
import { ConcordatError } from '../protocol/errors.ts';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Express guard: `Authorization: Bearer <token>`. */
export function requireOperator(token: string) {
  const expected = digest(`Bearer ${token}`);
  return (request: Request, _response: Response, next: NextFunction): void => {
    // hashed first, so that lengths are equal and time tells nothing
    if (timingSafeEqual(digest(request.headers.authorization ?? ''), expected)) next();
    else next(new ConcordatError('SIGNATURE_INVALID', 'operator token missing or wrong'));
  };
}
