import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  readNpz,
  reasonOf,
  sizeOf,
  type Tensor,
  type TensorData,
  UnitscopeError,
  writeFileAtomic,
  writeNpz,
} from '@unitscope/tensor';
import { z } from 'zod';
import type { ExplanatoryGraph, GraphLayer } from './graph.js';
import { graphParameters } from './parameters.js';

/** The files of a graph in its folder. */
export const GRAPH_FILES = ['graph.json', 'graph.npz'] as const;

/** Raised with every change that an older reader would misread. */
export const GRAPH_FORMAT_VERSION = 1;
const FORMAT = 'unitscope-explanatory-graph';

// Far above any network, and small enough that no product of them loses count.
const MOST_SIDE = 2 ** 14;
const MOST_NODES = 2 ** 12;
const MOST_FILTERS = 2 ** 16;
const MOST_PICTURES = 2 ** 24;

const side = z.int().positive().max(MOST_SIDE);
const pair = z.tuple([z.number(), z.number()]);
const layerSchema = z.object({
  name: z.string().min(1),
  filters: z.int().positive().max(MOST_FILTERS),
  height: side,
  width: side,
  stride: z.tuple([z.number().positive(), z.number().positive()]),
  centre: pair,
  nodes: z.int().positive().max(MOST_NODES),
  parents: z.int().min(0).max(MOST_NODES),
  deadFilters: z.array(z.int().min(0).max(MOST_FILTERS)),
});
const schema = z.object({
  format: z.literal(FORMAT),
  version: z.literal(GRAPH_FORMAT_VERSION),
  record: z.record(z.string(), z.json()),
  input: z.tuple([side, side]),
  pictures: z.int().positive().max(MOST_PICTURES),
  parameters: z.record(z.string(), z.json()),
  layers: z.array(layerSchema).min(1).max(256),
});

const parametersSchema = z.object({
  seed: z.number(),
  iterations: z.number(),
  density: z.array(z.number()).optional(),
  eta: z.number(),
  parents: z.number(),
  candidates: z.number(),
  staticShare: z.number(),
  border: z.number(),
  range: z.number(),
  initialSigma: z.number(),
  smoothing: z.number(),
  tau: z.number(),
  flip: z.boolean(),
  orientation: z.enum(['score', 'likelihood']),
  parentUnits: z.enum(['converted', 'released']),
  parentWeight: z.enum(['exact', 'released']),
  parentChoice: z.enum(['doubling', 'every']),
  quantised: z.boolean(),
  topPictures: z.number(),
});

/** What a graph is of, as its file says it: model, data, versions. Plain JSON. */
export type GraphRecord = z.output<typeof schema>['record'];

/** Writes `graph.json` and the arrays beside it. The JSON comes last: where it is, the graph is whole. */
export async function writeExplanatoryGraph(
  folder: string,
  graph: ExplanatoryGraph,
  record: GraphRecord,
): Promise<void> {
  const arrays = new Map<string, Tensor<TensorData>>([
    ['mirrored', { dims: [graph.pictures], data: graph.mirrored }],
  ]);
  for (const [i, layer] of graph.layers.entries()) {
    for (const [name, array] of arraysOf(layer)) arrays.set(`layer${i}_${name}`, array);
  }
  const json = {
    format: FORMAT,
    version: GRAPH_FORMAT_VERSION,
    record,
    input: graph.input,
    pictures: graph.pictures,
    parameters: graph.parameters,
    layers: graph.layers.map(
      ({ name, filters, height, width, stride, centre, nodes, parents, deadFilters }) => ({
        name,
        filters,
        height,
        width,
        stride,
        centre,
        nodes,
        parents: parents?.dims[2] ?? 0,
        deadFilters,
      }),
    ),
  };
  await writeFileAtomic(join(folder, GRAPH_FILES[1]), writeNpz(arrays));
  await writeFileAtomic(join(folder, GRAPH_FILES[0]), `${JSON.stringify(json, null, 1)}\n`);
}

function arraysOf({ scale, coord, sigma, mean, variance, strength, parents, top }: GraphLayer) {
  return new Map<string, Tensor<TensorData>>([
    ['scale', scale],
    ['coord', coord],
    ['sigma', sigma],
    ['mean', mean],
    ['variance', variance],
    ['strength', strength],
    ...(parents === undefined ? [] : ([['parents', parents]] as const)),
    ['top_picture', top.picture],
    ['top_position', top.position],
    ['top_score', top.score],
  ]);
}

/**
 * Reads a graph from its folder, whoever wrote it: every size is checked against the arrays that are there, every number
 * for being finite and within its bounds. Throws `not-found`, and `bad-file` naming the file and what is wrong.
 */
export async function readExplanatoryGraph(
  folder: string,
): Promise<{ readonly graph: ExplanatoryGraph; readonly record: GraphRecord }> {
  const [jsonPath, npzPath] = GRAPH_FILES.map((name) => join(folder, name)) as [string, string];
  const json = parseJson(await read(jsonPath), jsonPath);
  const arrays = new ArrayReader(readNpz(await read(npzPath), npzPath), npzPath);
  const parameters = parametersOf(json.parameters, jsonPath);
  const { input, pictures } = json;
  const mirrored = arrays.of('mirrored', Uint8Array, [pictures]);
  if (mirrored.data.some((flag) => flag > 1)) throw arrays.bad('mirrored', 'is neither 0 nor 1 somewhere');
  const layers = json.layers.map((layer, i): GraphLayer => {
    const above = json.layers[i - 1];
    return layerOf(layer, i, above === undefined ? 0 : above.filters * above.nodes, pictures, arrays);
  });
  return { graph: { input, pictures, mirrored: mirrored.data, parameters, layers }, record: json.record };
}

function layerOf(
  layer: z.output<typeof layerSchema>,
  i: number,
  upper: number,
  pictures: number,
  arrays: ArrayReader,
): GraphLayer {
  const { filters, nodes, height, width, parents, ...rest } = layer;
  const of = <D extends TensorData>(name: string, like: new (length: number) => D, dims: readonly number[]) =>
    arrays.of(`layer${i}_${name}`, like, dims);
  const within = <D extends Float32Array | Float64Array | Int32Array>(
    name: string,
    array: Tensor<D>,
    low: number,
    high: number,
  ) => {
    if (array.data.some((value) => !(value >= low && value <= high)))
      throw arrays.bad(`layer${i}_${name}`, `has a value that is not from ${low} to ${high}`);
    return array;
  };
  const each = [filters, nodes] as const;
  const most = Math.max(height, width);
  const large = Number.MAX_VALUE;
  const picture = of('top_picture', Int32Array, [...each, arrays.lengthOf(`layer${i}_top_picture`, 2)]);
  const top = picture.dims[2]!;
  if (layer.deadFilters.some((filter) => filter >= filters))
    throw arrays.bad('layers', `name a dead filter that is not one of ${filters}`);
  if (parents > 0 && upper === 0)
    throw arrays.bad(`layer${i}_parents`, 'are named where there is no layer above');
  return {
    ...rest,
    filters,
    nodes,
    height,
    width,
    scale: within('scale', of('scale', Float32Array, [filters, height, width]), 0, large),
    coord: within('coord', of('coord', Float64Array, [...each, 2]), 0, most),
    // A deviation far below a cell would make probabilities overflow.
    sigma: within('sigma', of('sigma', Float64Array, each), 1e-6, 1e6),
    // Found positions reach beyond the map by a search and a parent's shift.
    mean: within('mean', of('mean', Float64Array, [...each, 2]), -1e6, 1e6),
    variance: within('variance', of('variance', Float64Array, each), 0, large),
    strength: within('strength', of('strength', Float64Array, each), 0, large),
    parents:
      parents === 0
        ? undefined
        : within('parents', of('parents', Int32Array, [...each, parents]), 0, upper - 1),
    top: {
      picture: within('top_picture', picture, 0, pictures - 1),
      position: within('top_position', of('top_position', Float32Array, [...each, top, 2]), -1e6, 1e6),
      score: within('top_score', of('top_score', Float32Array, [...each, top]), 0, large),
    },
  };
}

class ArrayReader {
  readonly #arrays: ReadonlyMap<string, Tensor<TensorData>>;
  readonly #path: string;

  constructor(arrays: ReadonlyMap<string, Tensor<TensorData>>, path: string) {
    this.#arrays = arrays;
    this.#path = path;
  }

  of<D extends TensorData>(
    name: string,
    like: new (length: number) => D,
    dims: readonly number[],
  ): Tensor<D> {
    const array = this.#arrays.get(name);
    if (array === undefined) throw this.bad(name, 'is missing');
    const { data } = array;
    if (!(data instanceof like)) throw this.bad(name, `is not a ${like.name}`);
    if (array.dims.join() !== dims.join() || data.length !== sizeOf(dims))
      throw this.bad(name, `has dims [${array.dims.join(', ')}] instead of [${dims.join(', ')}]`);
    return { dims: array.dims, data };
  }

  /** The length of an axis; 0 where there is none. */
  lengthOf(name: string, axis: number): number {
    return this.#arrays.get(name)?.dims[axis] ?? 0;
  }

  bad(name: string, why: string): UnitscopeError {
    return new UnitscopeError('bad-file', `${this.#path}: array ${name} ${why}; learn the graph anew`, {
      subject: this.#path,
    });
  }
}

function parseJson(bytes: Uint8Array, path: string): z.output<typeof schema> {
  const bad = (why: string, cause?: unknown) =>
    new UnitscopeError('bad-file', `explanatory graph ${path} ${why}`, { subject: path, cause });
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw bad(`is not JSON: ${reasonOf(cause)}`, cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw bad(`has a wrong field ${issue?.path.join('.') ?? ''} (${issue?.message ?? ''})`, parsed.error);
}

function parametersOf(value: unknown, path: string) {
  const parsed = parametersSchema.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new UnitscopeError(
      'bad-file',
      `explanatory graph ${path} has a wrong field parameters.${issue?.path.join('.') ?? ''} (${issue?.message ?? ''})`,
      { subject: path, cause: parsed.error },
    );
  }
  const { density, ...rest } = parsed.data;
  try {
    return graphParameters({ ...rest, ...(density === undefined ? {} : { density }) });
  } catch (cause) {
    throw new UnitscopeError('bad-file', `explanatory graph ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new UnitscopeError('not-found', `cannot read explanatory graph ${path}: ${reasonOf(cause)}`, {
      subject: path,
      cause,
    });
  }
}
