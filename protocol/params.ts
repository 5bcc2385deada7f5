// The shared numbers, typed. params.json is their only home; circom and Solidity constants are generated from it.
import params from './params.json' with { type: 'json' };

export const PROTOCOL_VERSION = params.protocolVersion;
export const CONSENT = Object.freeze(params.consent);
export const SECAGG = Object.freeze({ ...params.secagg, primes: params.secagg.primes as [number, number, number] });
export const LIMITS = Object.freeze(params.limits);
