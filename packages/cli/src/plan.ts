import type { EngineRecord, Model, PlanNode } from '@unitscope/model';
import { type Tensor, UnitscopeError } from '@unitscope/tensor';
import { type ExplainOptions, type Method, profileExplanation, pullbackOf } from '@unitscope/visualization';
import { formatTable } from './table.js';

/** How a method runs on a network, node by node. */
export interface Plan {
  readonly method: string;
  /** Samples in the run whose times the nodes have; undefined where they have none. */
  readonly samples: number | undefined;
  readonly nodes: readonly PlanNode[];
}

/**
 * The plan of every method, with times where a batch is given and the engine keeps them.
 *
 * Throws as `explain`, and `wrong-use` where the network takes pictures of any size and there is no batch.
 */
export async function planMethods(
  model: Model,
  methods: readonly Method[],
  batch: Tensor | undefined,
  options: ExplainOptions,
): Promise<Plan[]> {
  const { dims = [] } = model.input;
  if (batch === undefined && dims.slice(1).some((dim) => typeof dim === 'string')) {
    throw new UnitscopeError(
      'wrong-use',
      `the network takes pictures of any size, [${dims.join(', ')}]; choose one by --size H,W`,
    );
  }
  const plans: Plan[] = [];
  for (const method of methods.filter(({ forwardOnly }) => forwardOnly !== true)) {
    const profile = batch && (await profileExplanation(model, method, batch, options));
    const nodes = profile?.nodes ?? (await pullbackOf(model, method, options)).nodes;
    plans.push({ method: method.name, samples: profile?.samples, nodes });
  }
  return plans;
}

/** A table of the nodes, in lines of text. */
export function describePlan({ method, samples, nodes }: Plan, engine: EngineRecord): string {
  const { name, lowering, block } = engine;
  const made = block === undefined ? lowering : `${lowering} in ${block}s`;
  const isTimed = samples !== undefined;
  const hasFused = nodes.some(({ fused }) => fused !== undefined);
  const header = [
    ...['  node', 'operator', 'rule', 'lowering', 'layout'],
    ...(isTimed ? ['      ms'] : []),
    ...(hasFused ? ['fused into it'] : []),
  ];
  const rows = nodes.map((node) => [
    `  ${node.node}`,
    node.ranAs === undefined ? node.operator : `${node.operator}, as ${node.ranAs}`,
    node.rule ?? '',
    node.lowering,
    node.layout,
    ...(isTimed ? [node.milliseconds === undefined ? '' : node.milliseconds.toFixed(3).padStart(8)] : []),
    ...(hasFused ? [node.fused ?? ''] : []),
  ]);
  const total = nodes.reduce((sum, { milliseconds = 0 }) => sum + milliseconds, 0);
  const times = isTimed ? `\n  ${total.toFixed(1)} ms in all, for ${samples} of the batch` : timeless(name);
  return `plan of ${method}: engine ${name}, lowering ${made}\n${formatTable(header, rows).trimEnd()}${times}`;
}

function timeless(engine: string): string {
  return engine === 'native'
    ? '\n  no times: they are of a run, which needs a picture'
    : `\n  no times: the engine ${engine} keeps none; --engine native does`;
}
