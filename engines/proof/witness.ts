// Computes witnesses with the WebAssembly that circom writes beside a circuit.
import { ConcordatError } from '../../protocol/errors.ts';
import type { PolicyClaimSignals } from './claim.ts';
import { webAssembly } from './webassembly.ts';

/** The interface of circom 2's witness calculator; numbers go through a shared window of 32-bit words. */
interface Calculator {
  init(checkInputs: number): void;
  getFieldNumLen32(): number;
  getInputSize(): number;
  getInputSignalSize(hashHigh: number, hashLow: number): number;
  writeSharedRWMemory(word: number, value: number): void;
  readSharedRWMemory(word: number): number;
  setInputSignal(hashHigh: number, hashLow: number, index: number): void;
  getWitnessSize(): number;
  getWitness(wire: number): void;
  getMessageChar(): number;
}

export interface WitnessCalculator {
  /**
   * One plain little-endian scalar a wire.
   * @throws ConcordatError PROOF_UNSATISFIABLE with circom's words when a constraint fails
   */
  calculate(signals: PolicyClaimSignals): Uint8Array;
}

export async function loadWitnessCalculator(code: Uint8Array): Promise<WitnessCalculator> {
  let words: string[] = [];
  const message = (): string => {
    let text = '';
    for (let char = calculator.getMessageChar(); char !== 0; char = calculator.getMessageChar()) {
      text += String.fromCharCode(char);
    }
    return text;
  };
  const runtime = {
    exceptionHandler(code: number) {
      const why = words.join(' ').trim();
      throw new ConcordatError('PROOF_UNSATISFIABLE', `witness calculator, exception ${code}: ${why}`);
    },
    printErrorMessage: () => words.push(message()),
    writeBufferMessage: () => void message(),
    showSharedRWMemory: () => undefined,
  };
  const { instance } = await webAssembly.instantiate(code, { runtime });
  const calculator = instance.exports as Calculator;
  const wordCount = calculator.getFieldNumLen32();

  return {
    calculate(signals) {
      words = [];
      calculator.init(0);
      let given = 0;
      for (const [name, values] of Object.entries(signals)) {
        const [high, low] = fnv1a(name);
        if (calculator.getInputSignalSize(high, low) !== values.length) {
          throw new ConcordatError(
            'PROOF_UNSATISFIABLE',
            `signal ${name}: ${values.length} values do not fit the circuit`,
          );
        }
        for (const [index, value] of values.entries()) {
          for (let word = 0; word < wordCount; word++) {
            calculator.writeSharedRWMemory(word, Number(BigInt.asUintN(32, value >> BigInt(32 * word))));
          }
          calculator.setInputSignal(high, low, index);
          given++;
        }
      }
      // With the last input set the calculator has run; with one missing it has not.
      if (given !== calculator.getInputSize()) {
        throw new ConcordatError('PROOF_UNSATISFIABLE', `${given} inputs of ${calculator.getInputSize()}`);
      }
      const witness = new Uint32Array(calculator.getWitnessSize() * wordCount);
      for (let wire = 0; wire < calculator.getWitnessSize(); wire++) {
        calculator.getWitness(wire);
        for (let word = 0; word < wordCount; word++) {
          witness[wire * wordCount + word] = calculator.readSharedRWMemory(word);
        }
      }
      return new Uint8Array(witness.buffer);
    },
  };
}

/** 64-bit FNV-1a of a signal's name, as two halves: how circom numbers inputs. */
function fnv1a(name: string): [number, number] {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(name)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return [Number(hash >> 32n), Number(hash & 0xffffffffn)];
}
