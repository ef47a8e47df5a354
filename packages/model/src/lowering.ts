import type { Lowering } from '@unitscope/autodiff';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import type { Engine } from './engine.js';

/** A lowering without its block: `portable`, `native` or `blocked`, see `Lowering` of @unitscope/autodiff. */
export type LoweringName = 'portable' | 'native' | 'blocked';

/** What can be asked for as a lowering. */
export const loweringNames: readonly string[] = ['auto', 'portable', 'native', 'blocked'];

export function nameOfLowering(lowering: Lowering): LoweringName {
  return typeof lowering === 'string' ? lowering : lowering.kind;
}

/** Channels of a block; undefined of lowerings that have none. */
export function blockOf(lowering: Lowering): 8 | 16 | undefined {
  return typeof lowering === 'object' && lowering.kind === 'blocked' ? lowering.block : undefined;
}

/**
 * The lowering of that name on an engine; `auto` is the fastest of those the engine has.
 *
 * @param reason why the engine is not the one that was hoped for, for the error
 *
 * Throws `wrong-use` for a name that is none of `loweringNames`, and for a lowering the engine does not have.
 */
export function chooseLowering(name: string, engine: Engine, reason?: string): Lowering {
  if (!loweringNames.includes(name)) throw unknownName('lowering', name, loweringNames, 'wrong-use');
  const [fastest] = engine.lowerings;
  const found =
    name === 'auto' ? fastest : engine.lowerings.find((lowering) => nameOfLowering(lowering) === name);
  if (found !== undefined) return found;
  const there = engine.lowerings.map(nameOfLowering);
  const why = reason === undefined ? '' : `; the engine native is not used: ${reason}`;
  throw new UnitscopeError(
    'wrong-use',
    `the engine ${engine.name} has no lowering "${name}" here, it has ${there.join(', ')}${why}`,
    { subject: name, alternatives: ['auto', ...there] },
  );
}
