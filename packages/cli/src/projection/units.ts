import type { TopPicture } from '@unitscope/metrics';
import { UnitscopeError } from '@unitscope/tensor';
import { InvalidArgumentError } from 'commander';

/** Units named by their numbers, or the so many that are strongest. */
export type UnitChoice =
  | { readonly kind: 'numbered'; readonly units: readonly number[] }
  | { readonly kind: 'strongest'; readonly count: number };

// A slip of the keyboard must not make a list of a thousand million numbers.
const MOST_UNITS = 2 ** 20;

/** `0,5,7`, `0-15`, `3,8-11`: units by number, each once, in this order; `strongest:16`: those of the highest activations. */
export function parseUnits(text: string): UnitChoice {
  const refuse = () =>
    new InvalidArgumentError('It must be numbers and ranges, such as 0,5,8-15, or strongest:16.');
  const strongest = /^strongest:(\d+)$/.exec(text);
  if (strongest !== null) {
    const count = Number(strongest[1]);
    if (count < 1 || count > MOST_UNITS) throw refuse();
    return { kind: 'strongest', count };
  }
  const units = new Set<number>();
  for (const item of text.split(',')) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(item);
    if (range === null) throw refuse();
    const [first, last] = [Number(range[1]), Number(range[2] ?? range[1])];
    if (first > last || last >= MOST_UNITS) throw refuse();
    for (let unit = first; unit <= last; unit++) units.add(unit);
  }
  return { kind: 'numbered', units: [...units] };
}

/** Throws `not-found` for a unit that the layer has not. */
export function requireUnits(choice: UnitChoice, layer: string, count: number): void {
  const missing = choice.kind === 'numbered' ? choice.units.find((unit) => unit >= count) : undefined;
  if (missing === undefined) return;
  throw new UnitscopeError('not-found', `no unit ${missing}; ${layer} has the units 0 to ${count - 1}`, {
    subject: String(missing),
  });
}

/** A unit with the pictures that activate it most. */
export interface RankedUnit {
  readonly unit: number;
  /** From the strongest down; those in which it is not active, at 0 or below, are left out. */
  readonly pictures: readonly TopPicture[];
}

/** The units that were chosen; the strongest from the strongest down, of equals those of lower numbers first. */
export function chooseUnits(
  choice: UnitChoice,
  ranking: readonly (readonly TopPicture[])[],
): readonly RankedUnit[] {
  const ranked = ranking.map((pictures, unit): RankedUnit => {
    return { unit, pictures: pictures.filter(({ activation }) => activation > 0) };
  });
  if (choice.kind === 'numbered') return choice.units.map((unit) => ranked[unit]!);
  const strength = ({ pictures }: RankedUnit) => pictures[0]?.activation ?? 0;
  return ranked.sort((a, b) => strength(b) - strength(a) || a.unit - b.unit).slice(0, choice.count);
}
