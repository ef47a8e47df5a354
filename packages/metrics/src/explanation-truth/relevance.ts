import { indexOfNonFinite, type Tensor, UnitscopeError, unknownName } from '@unitscope/tensor';

export const CHANNEL_RULES = ['largest', 'sum'] as const;

/**
 * How the channels of a map become one number a pixel: `largest` is max_c |m_c|, as maps are drawn; `sum` is
 * sum_c m_c, which keeps the sign and suits maps whose channels add up to the score.
 */
export type ChannelRule = (typeof CHANNEL_RULES)[number];

export const NEGATIVE_RULES = ['ignored', 'absolute'] as const;

/**
 * What negative values of a map count: `ignored` counts them 0, as what speaks against the score is no evidence for it;
 * `absolute` counts |m|, as whatever changes the score was looked at.
 */
export type NegativeRule = (typeof NEGATIVE_RULES)[number];

export interface RelevanceOptions {
  /** `largest` by default, after which nothing is negative. */
  readonly channels?: ChannelRule;
  /** `ignored` by default. */
  readonly negative?: NegativeRule;
}

/** One number a pixel: how much a map says that it matters. */
export interface Relevance {
  readonly height: number;
  readonly width: number;
  /** Row by row; the mass of a pixel is max(0, value). */
  readonly values: Float64Array;
}

/**
 * A map as one number a pixel. What is negative in the result, under `ignored`, has no mass but keeps its place in the
 * order of pixels: it comes last.
 *
 * @param map `[H, W]`, `[C, H, W]` or `[1, C, H, W]`; the first is taken as it is, whatever `channels` says
 *
 * Throws `bad-input` for other dims, a map without pixels, NaN and infinity; `wrong-use` for unknown rules.
 */
export function relevanceOf(
  { dims, data }: Tensor | Tensor<Float64Array>,
  { channels = 'largest', negative = 'ignored' }: RelevanceOptions = {},
): Relevance {
  if (!CHANNEL_RULES.includes(channels))
    throw unknownName('rule for channels', String(channels), CHANNEL_RULES, 'wrong-use');
  if (!NEGATIVE_RULES.includes(negative))
    throw unknownName('rule for negative values', String(negative), NEGATIVE_RULES, 'wrong-use');
  const [height = 0, width = 0] = dims.slice(-2);
  const pixels = height * width;
  const planes = dims.length < 3 ? 1 : dims.at(-3)!;
  const isOne = dims.length >= 2 && dims.length <= 4 && (dims.length < 4 || dims[0] === 1);
  if (!isOne || pixels * planes === 0 || data.length !== pixels * planes) {
    throw new UnitscopeError(
      'bad-input',
      `a map of one picture is [channels, height, width], not [${dims.join(', ')}] with ${data.length} values`,
    );
  }
  const broken = indexOfNonFinite(data);
  if (broken !== -1)
    throw new UnitscopeError(
      'bad-input',
      `the map has ${data[broken]} at element ${broken}; it must be finite`,
    );
  const isLargest = channels === 'largest' && dims.length > 2;
  const values = new Float64Array(pixels);
  for (let plane = 0; plane < planes; plane++) {
    for (let pixel = 0; pixel < pixels; pixel++) {
      const value = data[plane * pixels + pixel]!;
      values[pixel] = isLargest ? Math.max(values[pixel]!, Math.abs(value)) : values[pixel]! + value;
    }
  }
  return { height, width, values: negative === 'absolute' ? values.map(Math.abs) : values };
}
