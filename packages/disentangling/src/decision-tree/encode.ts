import { decodeState, encodeState, type StateReader } from '@unitscope/metrics';
import { ASSIGNMENTS, type DecisionTree, type TreeNode } from './tree.js';

const FORMAT = 'unitscope decision tree';
const VERSION = 1;

/** A tree as the bytes of an `.npz` file, float64 throughout. */
export function encodeTree(tree: DecisionTree): Uint8Array {
  const { nodes } = tree;
  const rows = (of: (node: TreeNode) => Float64Array) => {
    const all = new Float64Array(nodes.length * tree.filters);
    for (const [i, node] of nodes.entries()) all.set(of(node), i * tree.filters);
    return all;
  };
  return encodeState({
    format: FORMAT,
    version: VERSION,
    filters: tree.filters,
    parameters: { ...tree.parameters, neighbours: tree.parameters.neighbours ?? null },
    top: tree.top,
    merges: tree.merges.map(({ node, pair, gain }) => ({ node, pair, gain })),
    startingLogE: tree.startingLogE,
    scales: tree.scales,
    members: nodes.map(({ members }) => members),
    children: nodes.map(({ children }) => children),
    gradient: rows(({ gradient }) => gradient),
    alpha: rows(({ alpha }) => alpha),
    b: Float64Array.from(nodes, ({ b }) => b),
  });
}

/**
 * Reads what `encodeTree` wrote.
 *
 * @param name what to call the file in an error; throws `bad-file` for anything that is no tree
 */
export function decodeTree(bytes: Uint8Array, name: string): DecisionTree {
  const state = decodeState(bytes, name);
  state.get('format').oneOf([FORMAT]);
  if (state.get('version').count() !== VERSION) throw state.get('version').bad(`is not ${VERSION}`);
  const filters = state.get('filters').count();
  const members = numbersOf(state.get('members'));
  const children = numbersOf(state.get('children'), (child, node) => child < node);
  const count = members.length;
  if (children.length !== count) throw state.get('children').bad('are not those of the nodes');
  const gradient = state.get('gradient').array(Float64Array, count * filters);
  const alpha = state.get('alpha').array(Float64Array, count * filters);
  const b = state.get('b').array(Float64Array, count);
  const parameters = state.get('parameters');
  const isNode = (place: StateReader) => {
    const id = place.count();
    if (id >= count) throw place.bad('is no node');
    return id;
  };
  return {
    filters,
    parameters: {
      beta: parameters.get('beta').number(),
      gamma: parameters.get('gamma').number(),
      lambda: parameters.get('lambda').number(),
      assignment: parameters.get('assignment').oneOf(ASSIGNMENTS),
      binary: parameters.get('binary').boolean(),
      perPicture: parameters.get('perPicture').boolean(),
      neighbours: parameters.get('neighbours').isNull ? undefined : parameters.get('neighbours').count(),
    },
    nodes: members.map((own, id): TreeNode => {
      const row = (all: Float64Array) => all.slice(id * filters, (id + 1) * filters);
      const direction = row(gradient);
      const rationale = row(alpha);
      const w = rationale.map((part, d) => part * direction[d]!);
      return {
        id,
        members: own,
        children: children[id]!,
        gradient: direction,
        alpha: rationale,
        w,
        b: b[id]!,
      };
    }),
    top: state.get('top').list().map(isNode),
    merges: state
      .get('merges')
      .list()
      .map((merge) => {
        const [first, second, ...more] = merge.get('pair').list();
        if (first === undefined || second === undefined || more.length > 0) throw merge.bad('is no pair');
        const pair = [isNode(first), isNode(second)] as const;
        return { node: isNode(merge.get('node')), pair, gain: merge.get('gain').number() };
      }),
    startingLogE: state.get('startingLogE').number(),
    scales: state.get('scales').array(Float64Array, filters),
  };
}

function numbersOf(
  place: StateReader,
  fits: (value: number, row: number) => boolean = () => true,
): number[][] {
  return place.list().map((row, i) =>
    row.list().map((item) => {
      const value = item.count();
      if (!fits(value, i)) throw item.bad('is not a node made before it');
      return value;
    }),
  );
}
