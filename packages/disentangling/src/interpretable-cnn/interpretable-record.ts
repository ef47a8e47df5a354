import { type Graph, metadataOf, withMetadata } from '@unitscope/onnx';
import { UnitscopeError, unknownName } from '@unitscope/tensor';
import { type MapShape, READINGS, type Reading, slopesOf } from './map-shape.js';

/** A mask that a network was given, by the names of its values. */
export interface MaskRecord extends MapShape {
  /** What was asked for. */
  readonly layer: string;
  readonly reading: Reading;
  /** The maps before the mask: of what filter losses and measures are. */
  readonly maps: string;
  readonly masked: string;
  readonly mask: string;
  /** The initializer of the slopes, `[C, 1, 1]`. */
  readonly slopes: string;
  /** Whether the filters are those of a convolution that was added. */
  readonly added: boolean;
}

const KEY = 'unitscope.interpretable';

const TEXTS = ['layer', 'maps', 'masked', 'mask', 'slopes'] as const;
const COUNTS = ['channels', 'height', 'width'] as const;

/**
 * The masks of a network that `makeInterpretable` made, in the order of the forward pass, as the file's `metadata_props`
 * tell under `unitscope.interpretable`; none of another network. Throws `bad-file` where they are damaged.
 */
export function masksOf(graph: Graph): MaskRecord[] {
  const text = metadataOf(graph).get(KEY);
  if (text === undefined) return [];
  const damaged = (cause?: unknown) =>
    new UnitscopeError('bad-file', `what the file says of its masks (${KEY}) is damaged`, {
      subject: KEY,
      cause,
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw damaged(cause);
  }
  if (!Array.isArray(value)) throw damaged();
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  return value.map((item: unknown) => {
    const mask = readMask(item);
    if (mask === undefined || !made.has(mask.maps) || !made.has(mask.masked)) throw damaged();
    return mask;
  });
}

function readMask(item: unknown): MaskRecord | undefined {
  const fields = new Map<string, unknown>(Object.entries(item ?? {}));
  const texts = TEXTS.map((key) => fields.get(key)).filter((field) => typeof field === 'string');
  const counts = COUNTS.map((key) => fields.get(key)).filter(
    (field) => typeof field === 'number' && Number.isSafeInteger(field) && field > 0,
  );
  const reading = READINGS.find((each) => each === fields.get('reading'));
  const added = fields.get('added');
  const [layer, maps, masked, mask, slopes] = texts;
  const [channels, height, width] = counts.map(Number);
  if (texts.length < TEXTS.length || counts.length < COUNTS.length) return undefined;
  if (reading === undefined || typeof added !== 'boolean') return undefined;
  return {
    ...{ layer: layer!, maps: maps!, masked: masked!, mask: mask!, slopes: slopes!, reading, added },
    ...{ channels: channels!, height: height!, width: width! },
  };
}

/**
 * The network with the slopes that were learned in its mask, `[C]`. Throws `bad-input` for another number of them,
 * `not-found` for a mask of another network.
 */
export function withSlopes(graph: Graph, mask: MaskRecord, learned: Float32Array): Graph {
  const initializer = graph.initializers.get(mask.slopes);
  if (initializer === undefined) throw unknownName('slopes', mask.slopes, [...graph.initializers.keys()]);
  const data = slopesOf(mask.channels, learned).slice();
  const { name, type, dims } = initializer;
  return { ...graph, initializers: new Map(graph.initializers).set(name, { name, type, dims, data }) };
}

/** The graph with the masks in its `metadata_props`. */
export function withMasks(graph: Graph, masks: readonly MaskRecord[]): Graph {
  return withMetadata(graph, new Map([[KEY, JSON.stringify(masks)]]));
}
