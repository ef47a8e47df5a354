import type { RgbPicture } from '@unitscope/data';
import { activeNodes, type ExplanatoryGraph, type GraphParse, type NodeName } from '@unitscope/disentangling';
import type { Tensor } from '@unitscope/tensor';
import { encodePng, montage, overlayMap } from '@unitscope/visualization';
import { version } from '../version.js';

/** A node in a picture. */
export interface PlacedNode extends NodeName {
  readonly score: number;
  /** y and x in pixels of the input. */
  readonly pixel: readonly [number, number];
}

/** The nodes of a layer that are in the first picture of a parse, from the highest score down. */
export function placedNodes(parse: GraphParse, layer: number, share: number): PlacedNode[] {
  return activeNodes(parse, 0, layer, share).map((node) => ({ ...node, pixel: placeOf(parse, node) }));
}

function placeOf({ layers }: GraphParse, { layer, filter, node }: NodeName): [number, number] {
  const { pixel } = layers[layer]!;
  const at = 2 * (filter * pixel.dims[2]! + node);
  return [pixel.data[at]!, pixel.data[at + 1]!];
}

/** The picture and, for each layer, a heat map of the nodes that are in it: Gaussians of their deviations, times scores. */
export function drawHeat(
  graph: ExplanatoryGraph,
  parse: GraphParse,
  photo: RgbPicture,
  share: number,
): Uint8Array {
  const tiles = graph.layers.map(({ name }, layer) => {
    const nodes = placedNodes(parse, layer, share);
    return {
      picture: overlayMap(photo, heatOf(graph, layer, nodes, photo)),
      label: `${name}\n${nodes.length} nodes`,
    };
  });
  const first = { picture: photo, label: parse.mirrored[0] === 1 ? 'picture\nparsed mirrored' : 'picture' };
  return encodePng(montage([first, ...tiles]), { text: { Software: `unitscope ${version}` } });
}

function heatOf(
  { layers }: ExplanatoryGraph,
  layer: number,
  nodes: readonly PlacedNode[],
  { height, width }: RgbPicture,
): Tensor {
  const { stride, sigma, nodes: perFilter } = layers[layer]!;
  const data = new Float32Array(height * width);
  for (const { filter, node, score, pixel } of nodes) {
    const deviation = sigma.data[filter * perFilter + node]! * stride[0];
    const reach = Math.ceil(3 * deviation);
    const [top, left] = [Math.round(pixel[0]), Math.round(pixel[1])];
    for (let y = Math.max(0, top - reach); y <= Math.min(height - 1, top + reach); y++) {
      for (let x = Math.max(0, left - reach); x <= Math.min(width - 1, left + reach); x++) {
        const square = (y - pixel[0]) ** 2 + (x - pixel[1]) ** 2;
        data[y * width + x]! += score * Math.exp(-square / (2 * deviation * deviation));
      }
    }
  }
  return { dims: [height, width], data };
}

const PANEL = 300;
const GAP = 36;
const TOP = 44;
const NODES = 12;
const EDGES = 3;
const COLOURS = ['#ff7f0e', '#17becf', '#e377c2', '#bcbd22', '#8c564b', '#9467bd'];

/**
 * The picture once for each layer, the lowest on the left, as one SVG document: the 12 strongest nodes, of a filter the
 * strongest only, and lines to the three of their parents that score highest in the picture.
 */
export function drawEdges(graph: ExplanatoryGraph, parse: GraphParse, photo: RgbPicture): string {
  const { layers } = graph;
  const width = layers.length * (PANEL + GAP) + GAP;
  const panelHeight = Math.round((PANEL * photo.height) / photo.width);
  const scale = PANEL / photo.width;
  const leftOf = (layer: number) => GAP + (layers.length - 1 - layer) * (PANEL + GAP);
  const pointOf = (node: NodeName) => {
    const [y, x] = placeOf(parse, node);
    return {
      x: leftOf(node.layer) + clamp((x + 0.5) * scale, PANEL),
      y: TOP + clamp((y + 0.5) * scale, panelHeight),
    };
  };
  const image = Buffer.from(encodePng({ ...photo, channels: 3 })).toString('base64');
  const panels: string[] = [];
  const edges: string[] = [];
  const circles = new Map<string, string>();
  for (const [layer, { name, nodes: perFilter, parents }] of layers.entries()) {
    const colour = COLOURS[layer % COLOURS.length]!;
    const left = leftOf(layer);
    panels.push(
      `<text x="${left}" y="${TOP - 12}" font-size="15" font-weight="bold" fill="${colour}">${escapeXml(name)}</text>`,
      `<image x="${left}" y="${TOP}" width="${PANEL}" height="${panelHeight}" preserveAspectRatio="none" opacity="0.55" href="data:image/png;base64,${image}"/>`,
    );
    const seen = new Set<number>();
    const strongest = placedNodes(parse, layer, 1)
      .filter(({ filter }) => !seen.has(filter) && seen.add(filter))
      .slice(0, NODES);
    for (const node of strongest) {
      const from = pointOf(node);
      circles.set(keyOf(node), circle(from, 6, colour, `filter ${node.filter}, node ${node.node}`));
      for (const parent of parentsOf(node, perFilter, parents, graph, parse)) {
        const to = pointOf(parent);
        edges.push(
          `<line x1="${from.x.toFixed(1)}" y1="${from.y.toFixed(1)}" x2="${to.x.toFixed(1)}" y2="${to.y.toFixed(1)}" stroke="${colour}" stroke-width="1.2" opacity="0.75"/>`,
        );
        if (!circles.has(keyOf(parent))) {
          const above = COLOURS[parent.layer % COLOURS.length]!;
          circles.set(keyOf(parent), circle(to, 3.5, above, `filter ${parent.filter}, node ${parent.node}`));
        }
      }
    }
  }
  const height = TOP + panelHeight + 40;
  const note = `the ${NODES} strongest nodes of different filters, and the ${EDGES} parents of each that score highest in this picture`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif">`,
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...panels,
    ...edges,
    ...circles.values(),
    `<text x="${GAP}" y="${height - 14}" font-size="12" fill="#444">${note}</text>`,
    '</svg>\n',
  ].join('\n');
}

function parentsOf(
  { layer, filter, node }: NodeName,
  perFilter: number,
  parents: Tensor<Int32Array> | undefined,
  { layers }: ExplanatoryGraph,
  parse: GraphParse,
): NodeName[] {
  const above = layers[layer - 1];
  if (parents === undefined || above === undefined) return [];
  const each = parents.dims[2]!;
  const start = (filter * perFilter + node) * each;
  const scores = parse.layers[layer - 1]!.score.data;
  return Array.from(parents.data.subarray(start, start + each))
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, EDGES)
    .map((parent) => ({
      layer: layer - 1,
      filter: Math.floor(parent / above.nodes),
      node: parent % above.nodes,
    }));
}

function circle({ x, y }: { x: number; y: number }, radius: number, colour: string, title: string): string {
  return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius}" fill="${colour}" stroke="white" stroke-width="1.5"><title>${title}</title></circle>`;
}

const keyOf = ({ layer, filter, node }: NodeName) => `${layer} ${filter} ${node}`;
const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most);

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
