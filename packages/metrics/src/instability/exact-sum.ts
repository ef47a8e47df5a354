import type { StateReader, StateValue } from '../state.js';

// The least positive float32, of which all others and all their sums are whole multiples.
const UNITS_PER_ONE = 2 ** 149;
const MAX_HEX_DIGITS = 4096;

/** A sum of finite float32 numbers without rounding, the same in any order. */
export class ExactSum {
  /** The sum in units of 2^-149. */
  units: bigint;

  constructor(units = 0n) {
    this.units = units;
  }

  static parse(state: StateReader): ExactSum {
    const match = /^(-?)([0-9a-f]+)$/.exec(state.string());
    if (match === null || match[2]!.length > MAX_HEX_DIGITS) throw state.bad('is not a sum');
    const magnitude = BigInt(`0x${match[2]}`);
    return new ExactSum(match[1] === '-' ? -magnitude : magnitude);
  }

  toState(): StateValue {
    return this.units.toString(16);
  }

  add(value: number): void {
    this.units += BigInt(value * UNITS_PER_ONE);
  }

  /** The sum divided by `count`, to the nearest float64 or a neighbour of it. */
  mean(count: number): number {
    // 80 bits more than the quotient needs keep what the division of integers cuts off below float64's last bit.
    const scaled = (this.units << 80n) / BigInt(count);
    return (Number(scaled) * 2 ** -80) / UNITS_PER_ONE;
  }
}
