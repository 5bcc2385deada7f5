// The SIMD kernel of engines/ring/kernel/, running: its functions, and its memory as arrays.
import { ConcordatError } from '../../protocol/errors.ts';
import { RESIDUES_PER_BLOCK, RING_DEGREE } from '../../protocol/secagg/block.ts';
import { PACKED_WORDS_PER_BLOCK } from '../../protocol/secagg/residue-bits.ts';
import { CBD_POLYNOMIAL_BYTES } from '../../protocol/secagg/sampling.ts';
import { buildKernel, type KernelOptions, MAX_SLOTS } from './kernel-build.ts';
import { hasSimd, webAssembly } from './webassembly.ts';

interface Address {
  readonly value: number;
}

/** kernel/index.as.ts, as WebAssembly exports it. */
interface KernelExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly STREAM: Address;
  readonly STREAM_BYTES: Address;
  readonly PUBLIC: Address;
  readonly SMALL: Address;
  readonly RANDOM: Address;
  readonly VALUES: Address;
  readonly PRODUCT: Address;
  readonly ERROR: Address;
  readonly LEFT: Address;
  readonly SUMS: Address;
  readonly PACKED: Address;
  readonly END: Address;
  prepare(): void;
  takeUniform(prime: number): number;
  loadFactor(): void;
  seal(slots: number, slotBits: number): void;
  open(slots: number, slotBits: number): void;
  addPacked(): void;
  wipe(): void;
}

/** Arrays are the kernel's own memory: what goes in, and what is there after a call (kernel/layout.as.ts). */
export interface Kernel
  extends Pick<KernelExports, 'takeUniform' | 'loadFactor' | 'seal' | 'open' | 'addPacked' | 'wipe'> {
  readonly stream: Uint8Array;
  readonly public: Uint32Array;
  readonly small: Int32Array;
  readonly random: Uint8Array;
  /** Room for the most slots that a packing has; fewer fill its beginning. So it is with the sums. */
  readonly values: Uint16Array;
  readonly product: Uint32Array;
  readonly error: Int32Array;
  readonly left: Uint32Array;
  readonly sums: Uint32Array;
  readonly packed: Uint32Array;
}

const running = new Map<string, Promise<Kernel>>();

/**
 * One per process and cache folder, 640 KiB: calls are synchronous and leave no secret behind, so sealers and openers share it.
 * @throws ConcordatError RING_ENGINE_UNAVAILABLE where WebAssembly has no SIMD
 */
export function ringKernel(options: KernelOptions): Promise<Kernel> {
  const started = running.get(options.cacheDir) ?? start(options);
  running.set(options.cacheDir, started);
  // a failure is not kept: the next caller tries again
  started.catch(() => running.delete(options.cacheDir));
  return started;
}

async function start(options: KernelOptions): Promise<Kernel> {
  if (!hasSimd()) throw new ConcordatError('RING_ENGINE_UNAVAILABLE', 'WebAssembly has no SIMD in this process');
  const { instance } = await webAssembly.instantiate(await buildKernel(options));
  const exports = instance.exports as KernelExports;
  const { buffer } = exports.memory;
  if (exports.END.value > buffer.byteLength) throw new RangeError('the kernel has fewer pages than its layout needs');
  exports.prepare();
  const { takeUniform, loadFactor, seal, open, addPacked, wipe } = exports;
  const residues = ({ value }: Address) => new Uint32Array(buffer, value, RESIDUES_PER_BLOCK);
  const integers = ({ value }: Address) => new Int32Array(buffer, value, RING_DEGREE);
  return {
    ...{ takeUniform, loadFactor, seal, open, addPacked, wipe },
    stream: new Uint8Array(buffer, exports.STREAM.value, exports.STREAM_BYTES.value),
    public: residues(exports.PUBLIC),
    small: integers(exports.SMALL),
    random: new Uint8Array(buffer, exports.RANDOM.value, CBD_POLYNOMIAL_BYTES),
    values: new Uint16Array(buffer, exports.VALUES.value, MAX_SLOTS * RING_DEGREE),
    product: residues(exports.PRODUCT),
    error: integers(exports.ERROR),
    left: residues(exports.LEFT),
    sums: new Uint32Array(buffer, exports.SUMS.value, MAX_SLOTS * RING_DEGREE),
    packed: new Uint32Array(buffer, exports.PACKED.value, PACKED_WORDS_PER_BLOCK),
  };
}
