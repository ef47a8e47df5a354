import type { Tensor } from '@unitscope/tensor';
import type { GraphParameters } from './parameters.js';

/** Where the maps of a layer lie in the picture. Pairs are [row, column]. */
export interface MapGeometry {
  /** The layer's name in the network. */
  readonly name: string;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  /** Pixels of the input from one cell to the next. */
  readonly stride: readonly [number, number];
  /** Where the middle of cell 0 lies in the input, in pixels. */
  readonly centre: readonly [number, number];
}

/** The pictures in which nodes score highest, from the highest down. */
export interface TopOfNodes {
  /** `[filters, nodes, top]`: numbers of the pictures in the order they were learned from. */
  readonly picture: Tensor<Int32Array>;
  /** `[filters, nodes, top, 2]`: row and column in cells, in the picture as it was used, mirrored or not. */
  readonly position: Tensor;
  /** `[filters, nodes, top]` */
  readonly score: Tensor;
}

/** One layer of an explanatory graph: the same number of nodes for each filter. Cells are counted from 0. */
export interface GraphLayer extends MapGeometry {
  /** Of each filter. */
  readonly nodes: number;
  /** `[filters, height, width]`: what activations are divided by; 0 where a filter says nothing and counts as inactive. */
  readonly scale: Tensor;
  /** `[filters, nodes, 2]`: row and column of each node's mean position in the model, in cells. */
  readonly coord: Tensor<Float64Array>;
  /** `[filters, nodes]`: deviation of its position, in cells. */
  readonly sigma: Tensor<Float64Array>;
  /** `[filters, nodes, 2]`: mean over the pictures of where it was found, in cells. */
  readonly mean: Tensor<Float64Array>;
  /** `[filters, nodes]`: variance over the pictures of where it was found, rows and columns added, in cells^2. */
  readonly variance: Tensor<Float64Array>;
  /** `[filters, nodes]`: sum over pictures and candidates of prob E, in units of the layer's mean. */
  readonly strength: Tensor<Float64Array>;
  /** `[filters, nodes, parents]`: nodes of the layer above, counted through all its filters; none at the top. */
  readonly parents: Tensor<Int32Array> | undefined;
  readonly top: TopOfNodes;
  /** Filters that no picture activates. Their nodes stay where they began and have no strength. */
  readonly deadFilters: readonly number[];
}

/** An explanatory graph (Zhang et al., arXiv:1708.01785): part patterns of filters and which support which. */
export interface ExplanatoryGraph {
  /** Height and width of the network's input. */
  readonly input: readonly [number, number];
  /** How many pictures it was learned from. */
  readonly pictures: number;
  /** Of each picture, 1 where its mirror image was used. */
  readonly mirrored: Uint8Array;
  readonly parameters: GraphParameters;
  /** From the top down. */
  readonly layers: readonly GraphLayer[];
}

/** One node of a graph. */
export interface NodeName {
  /** Index into the graph's layers, 0 the top. */
  readonly layer: number;
  readonly filter: number;
  /** Number among the filter's nodes. */
  readonly node: number;
}

/** Where a position in cells lies in the network's input, in pixels, 0 the middle of the first. */
export function pixelOf(
  { stride, centre }: Pick<MapGeometry, 'stride' | 'centre'>,
  row: number,
  column: number,
): [number, number] {
  return [centre[0] + row * stride[0], centre[1] + column * stride[1]];
}
