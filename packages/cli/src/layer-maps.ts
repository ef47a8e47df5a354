import type { Layer, Model } from '@unitscope/model';
import { UnitscopeError } from '@unitscope/tensor';

/** Units, height and width of a layer's maps. Throws `wrong-use` for a layer that gives none of a fixed size. */
export function mapDimsOf({ name, dims }: Layer): [number, number, number] {
  const [, units, height, width] = dims ?? [];
  if (
    dims?.length === 4 &&
    typeof units === 'number' &&
    typeof height === 'number' &&
    typeof width === 'number'
  )
    return [units, height, width];
  throw new UnitscopeError(
    'wrong-use',
    `layer ${name} gives [${dims?.join(', ') ?? '?'}], not maps [N, units, height, width] of a fixed size; ` +
      'choose a convolution, or give the input size by --size H,W',
    { subject: name },
  );
}

/** Of the pictures a network takes. Throws `wrong-use` where it takes none, or leaves their size open. */
export function inputSizeOf({ input, path }: Model): { height: number; width: number } {
  const [, channels, height, width] = input.dims ?? [];
  if (channels !== 3 || typeof height !== 'number' || typeof width !== 'number') {
    throw new UnitscopeError(
      'wrong-use',
      `${path} takes [${input.dims?.join(', ') ?? '?'}], not pictures of a fixed size; give one by --size H,W`,
    );
  }
  return { height, width };
}
