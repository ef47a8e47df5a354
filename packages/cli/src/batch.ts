import {
  isArrayPath,
  type LoadedInput,
  type LoadOptions,
  loadInputs,
  type Preprocessing,
} from '@unitscope/data';
import type { Model } from '@unitscope/model';
import { UnitscopeError } from '@unitscope/tensor';

/**
 * The inputs of the command line as one network takes them, together one batch.
 *
 * Throws `bad-input` for pictures where the network takes none and for arrays it does not take, `wrong-use` where
 * pictures need a size to be scaled to, and the errors of `loadInputs`.
 */
export async function loadBatch(
  { input }: Model,
  paths: readonly string[],
  preprocessing: Preprocessing,
  options: LoadOptions,
): Promise<LoadedInput[]> {
  const dims = input.dims ?? [];
  const shown = `[${dims.join(', ')}]`;
  const [, channels, height, width] = dims;
  const picture = paths.find((path) => !isArrayPath(path));
  if (picture !== undefined) {
    if (dims.length !== 4 || (typeof channels === 'number' && channels !== 3)) {
      throw new UnitscopeError(
        'bad-input',
        `${picture}: the network takes ${shown}, not pictures; give an .npy file of those dims`,
        { subject: picture },
      );
    }
    if (typeof height !== 'number' || typeof width !== 'number') {
      throw new UnitscopeError(
        'wrong-use',
        `the network takes pictures of any size, ${shown}; choose one by --size H,W`,
      );
    }
  }
  const inputs = await loadInputs(
    paths,
    preprocessing,
    { height: Number(height), width: Number(width) },
    options,
  );
  const [first] = inputs;
  for (const { path, tensor } of inputs) {
    const got = tensor.dims;
    const refuse = (why: string) =>
      new UnitscopeError('bad-input', `${path} has dims [${got.join(', ')}]; ${why}`, { subject: path });
    const matches = (wanted: readonly (number | string)[]) =>
      got.length === wanted.length &&
      got.every((size, axis) => axis === 0 || typeof wanted[axis] === 'string' || wanted[axis] === size);
    if (!matches(dims)) throw refuse(`the network takes ${shown}`);
    if (first !== undefined && !matches(first.tensor.dims)) {
      throw refuse(`${first.path} has [${first.tensor.dims.join(', ')}]: explain them one by one`);
    }
  }
  return inputs;
}
