import { type Constant, stringAttribute } from '../graph.js';
import type { Upgrade, UpgradeContext } from './context.js';

/** Upsample, until version 9: pixel i of the output comes from i / scale, rounded down in the mode `nearest`. */
export const upgradeUpsample: Upgrade = (context) => {
  const { node } = context;
  const [x = '', given = ''] = node.inputs;
  const scales = given === '' ? scalesFromAttribute(context) : given;
  return [
    context.changed({
      operator: 'Resize',
      inputs: [x, '', scales],
      drop: ['scales'],
      set: { ...oldSampling(modeOf(context)), nearest_mode: 'floor' },
    }),
  ];
};

/** Resize: version 10 knew scales only; 11 to 17 took empty tensors for inputs left out. */
export const upgradeResize: Upgrade = (context) =>
  context.from < 11 ? upgradeResize10(context) : upgradeResize11(context);

const upgradeResize10: Upgrade = (context) => {
  const { node, builder } = context;
  const [x = '', scales = ''] = node.inputs;
  const mode = modeOf(context);
  const resized = (input: string, factors: string, nearest: string) =>
    context.changed({
      inputs: [input, '', factors],
      set: { ...oldSampling(mode), nearest_mode: nearest },
    });
  if (mode !== 'nearest') return [resized(x, scales, 'floor')];
  // The nearest pixel is the one before when enlarging and the one after when shrinking.
  const known = context.constant(scales);
  if (known === undefined) {
    throw context.unsupported('its scales are computed at run time, so how it rounds is not known');
  }
  const factors = numbersOf(known);
  if (factors.every((factor) => factor >= 1)) return [resized(x, scales, 'floor')];
  if (factors.every((factor) => factor <= 1)) return [resized(x, scales, 'ceil')];
  const enlarging = builder.floats(factors.map((factor) => Math.max(1, factor)));
  const shrinking = builder.floats(factors.map((factor) => Math.min(1, factor)));
  const enlarged = context.emit('Resize', [x, '', enlarging], {
    ...oldSampling(mode),
    nearest_mode: 'floor',
  });
  return [resized(enlarged, shrinking, 'ceil')];
};

const upgradeResize11: Upgrade = (context) => {
  const { node } = context;
  const [x = '', roi = '', scales = '', sizes = ''] = node.inputs;
  const isEmpty = (value: string) => context.dims(value)?.some((size) => size === 0) ?? false;
  const present = (value: string) => (value === '' || isEmpty(value) ? '' : value);
  const sampling = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  const inputs = [x, sampling === 'tf_crop_and_resize' ? roi : '', present(scales), present(sizes)];
  if (inputs[3] === '') inputs.pop();
  if (sampling !== 'tf_half_pixel_for_nn') return [context.changed({ inputs })];
  // floor((i + 0.5) / s) is (i + 0.5) / s - 0.5 rounded to the nearest, halves up.
  const rounding = stringAttribute(node, 'nearest_mode', 'round_prefer_floor');
  if (modeOf(context) !== 'nearest' || rounding !== 'floor') {
    throw context.unsupported(
      `coordinate_transformation_mode tf_half_pixel_for_nn ended with version 13 and has no equal for ${rounding}`,
    );
  }
  const set = { coordinate_transformation_mode: 'half_pixel', nearest_mode: 'round_prefer_ceil' };
  return [context.changed({ inputs, set })];
};

function modeOf(context: UpgradeContext): string {
  const mode = stringAttribute(context.node, 'mode', 'nearest');
  return mode === 'bilinear' ? 'linear' : mode;
}

function oldSampling(mode: string): { mode: string; coordinate_transformation_mode: string } {
  return { mode, coordinate_transformation_mode: 'asymmetric' };
}

function scalesFromAttribute(context: UpgradeContext): string {
  const attribute = context.node.attributes.get('scales');
  if (attribute?.kind !== 'floats') throw context.unsupported('it has no scales');
  return context.builder.floats(attribute.value, undefined, `${context.node.outputs[0]}/scales`);
}

function numbersOf({ data }: Constant): number[] {
  return Array.from(data, Number);
}
