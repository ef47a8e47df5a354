import { type RgbPicture, restorePicture } from '@unitscope/data';
import {
  type ExplanatoryGraph,
  mirrorBatch,
  pixelOf,
  type RankedNode,
  rankNodes,
} from '@unitscope/disentangling';
import { sliceBatch } from '@unitscope/tensor';
import { encodePng, montage, type Picture, type Tile } from '@unitscope/visualization';
import { version } from '../version.js';
import { type GraphPictures, streamPictures } from './source.js';

const NODES = 12;
const PATCHES = 8;
const TILE_SIZE = 96;
// As the authors show them: 60 to 80 pixels of 224.
const PATCH_SHARE = 0.3;
const BEYOND = 226;

/**
 * A figure of each layer: the purest node of each of the 12 purest filters, in a row the patches around it in the
 * pictures of its highest scores. Patches are mirrored where the mirror image was used. Undefined for a layer without
 * nodes that are ever active.
 *
 * @param numbers what the pictures the graph was learned from are called
 */
export async function drawNodes(
  graph: ExplanatoryGraph,
  pictures: GraphPictures,
  numbers: readonly number[],
  signal: AbortSignal,
): Promise<readonly (Uint8Array | undefined)[]> {
  const chosen = graph.layers.map((_, layer) => rankNodes(graph, layer, { perFilter: 1 }).slice(0, NODES));
  const shown = chosen
    .flat()
    .flatMap((node, row) => placesOf(graph, node).map((place) => ({ ...place, row })));
  const wanted = new Set(shown.map(({ picture }) => numbers[picture]!));
  const rows = chosen.flat().map(() => new Array<Picture>(PATCHES));
  for await (const batch of streamPictures(pictures, 0, signal, wanted)) {
    for (const [i, number] of batch.numbers.entries()) {
      const input = sliceBatch(batch.inputs, i, i + 1);
      for (const { picture, rank, row, y, x } of shown) {
        if (numbers[picture] !== number) continue;
        const seen = graph.mirrored[picture] === 1 ? mirrorBatch(input) : input;
        rows[row]![rank] = patchOf(restorePicture(seen, pictures.preprocessing), y, x);
      }
    }
  }
  let row = 0;
  return chosen.map((nodes, i) => {
    const tiles = nodes.flatMap((node): Tile[] =>
      Array.from(rows[row++]!, (picture, rank) => ({
        picture: picture ?? blank(),
        label: rank === 0 ? `filter ${node.filter}\nnode ${node.node}` : '',
      })),
    );
    if (tiles.length === 0) return undefined;
    const { name } = graph.layers[i]!;
    const title = `${name}: the purest node of each of ${nodes.length} filters, in the pictures of its highest scores`;
    const figure = montage(tiles, { columns: PATCHES, tileSize: TILE_SIZE, title });
    return encodePng(figure, { text: { Software: `unitscope ${version}` } });
  });
}

function placesOf({ layers }: ExplanatoryGraph, { layer, filter, node }: RankedNode) {
  const own = layers[layer]!;
  const { picture, position } = own.top;
  const kept = picture.dims[2] ?? 0;
  const start = (filter * own.nodes + node) * kept;
  return Array.from({ length: Math.min(PATCHES, kept) }, (_, rank) => {
    const at = 2 * (start + rank);
    const [y, x] = pixelOf(own, position.data[at]!, position.data[at + 1]!);
    return { picture: picture.data[start + rank]!, rank, y, x };
  });
}

/** The square around a place; light grey beyond the picture. */
function patchOf({ width, height, data }: RgbPicture, y: number, x: number): Picture {
  const side = Math.max(8, Math.round(PATCH_SHARE * Math.min(width, height)));
  const [top, left] = [Math.round(y - (side - 1) / 2), Math.round(x - (side - 1) / 2)];
  const patch = new Uint8Array(3 * side * side).fill(BEYOND);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const [fromY, fromX] = [top + row, left + column];
      if (fromY < 0 || fromX < 0 || fromY >= height || fromX >= width) continue;
      const from = 3 * (fromY * width + fromX);
      patch.set(data.subarray(from, from + 3), 3 * (row * side + column));
    }
  }
  return { width: side, height: side, channels: 3, data: patch };
}

function blank(): Picture {
  return { width: 1, height: 1, channels: 3, data: new Uint8Array(3).fill(BEYOND) };
}
