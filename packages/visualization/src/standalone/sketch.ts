import {
  type CompiledPullback,
  type Composite,
  compile,
  gradient,
  type Objective,
} from '@unitscope/autodiff';
import { cutGraph, type Dim, type Graph } from '@unitscope/onnx';
import { deriveFlippedWeights } from './flipped-weights.js';
import { GraphWriter } from './graph-writer.js';

/** What a file explains of a network. */
export interface Explained {
  readonly graph: Graph;
  /** The picture; all dims but the batch axis are numbers. */
  readonly input: { readonly name: string; readonly dims: readonly [Dim, ...Dim[]] };
  readonly objective: Extract<Objective, { readonly kind: 'class' | 'unit' }>;
  /** The class scores before the softmax, and how many there are; undefined where the network has none. */
  readonly scores: { readonly value: string; readonly classes: number } | undefined;
  /** The class (-1: the highest of each picture) or channel; an input of the file where it is undefined. */
  readonly target: number | undefined;
  /** The value of the layer whose maps Grad-CAM weighs; undefined for other methods. */
  readonly cam: string | undefined;
}

/** The values a file has beside those of the network. */
export const RESERVED = ['target', 'scores', 'map', 'score', 'chosen'] as const;

/** Of ONNX 1.13, which brought operator set 18. */
const IR_VERSION = 8;

/**
 * A file while a method writes its map into it: the network's forward pass and what is explained are there, backward
 * passes are written as they are asked for. What several of them compute alike is written once.
 */
export class Sketch {
  readonly writer: GraphWriter;
  /** The value of the picture. */
  readonly picture: string;
  readonly #explained: Explained;
  readonly #target: string;
  readonly #head: CompiledPullback;
  readonly #inHead: (value: string) => string;
  readonly #passes: CompiledPullback[] = [];

  /** Throws as `compile` of autodiff. */
  constructor(explained: Explained) {
    this.#explained = explained;
    const { graph, input, target, cam } = explained;
    // What is explained is compiled first, since the operator set is that of the rules, or later where the network's is.
    const head = this.#compile(gradient, cam ?? input.name);
    this.writer = new GraphWriter(graph.name || 'network', head.graph.opsets.get('') ?? 0);
    for (const name of RESERVED) this.writer.reserve(name);
    const [batch] = input.dims;
    this.picture = this.writer.input({ name: input.name, type: 'float32', dims: input.dims });
    this.#target =
      target === undefined
        ? this.writer.input({ name: 'target', type: 'int64', dims: [batch] })
        : this.writer.node('Expand', [
            this.writer.ints(target),
            this.writer.node('Shape', [this.picture], { start: 0, end: 1 }),
          ]);
    const wanted = [head.score, head.index, ...this.#kept].filter((value) => value !== undefined);
    this.#head = head;
    this.#inHead = this.#insert(this.writer, head, this.picture, this.#target, wanted);
  }

  /** Dims of the picture, the batch axis first. */
  get dims(): readonly [Dim, ...Dim[]] {
    return this.#explained.input.dims;
  }

  /** The backward passes written so far. */
  get passes(): readonly CompiledPullback[] {
    return this.#passes;
  }

  /** What arrives at the picture when the objective's signal goes back by the rules of a composite. */
  signal(composite: Composite): string {
    const { name } = this.#explained.input;
    const pass = this.#pass(composite, name);
    const signal = pass.signals.get(name)!;
    return this.#insert(this.writer, pass, this.picture, this.#target, [signal])(signal);
  }

  /** Activation of the Grad-CAM layer, [N, K, h, w], and the objective's gradient there. */
  camLayer(): { readonly activation: string; readonly gradient: string } {
    const { cam } = this.#explained;
    if (cam === undefined) throw new Error('a method that weighs the maps of a layer must say so');
    const pass = this.#pass(gradient, cam);
    const signal = pass.signals.get(cam)!;
    const named = this.#insert(this.writer, pass, this.picture, this.#target, [signal, cam]);
    return { activation: named(cam), gradient: named(signal) };
  }

  /** The gradient at another picture, of what is explained of the picture itself: the class or unit chosen there. */
  stepGradient(body: GraphWriter, picture: string): string {
    const { objective, input } = this.#explained;
    const fixed =
      objective.kind === 'unit' && objective.position === 'mean'
        ? objective
        : ({ kind: 'unit', value: objective.value, position: 'given' } as const);
    const pass = this.#pass(gradient, input.name, fixed);
    const signal = pass.signals.get(input.name)!;
    return this.#insert(body, pass, picture, this.#chosen, [signal])(signal);
  }

  /** The file with the map, which has the picture's channels or one, and everything else it gives out. */
  finish(map: string, oneChannel: boolean): Graph {
    const { input, scores, graph } = this.#explained;
    const [batch, ...sample] = input.dims;
    const { writer } = this;
    if (scores !== undefined) {
      const rows = writer.node('Reshape', [this.#inHead(scores.value), writer.ints([-1, scores.classes])]);
      writer.output(rows, { name: 'scores', type: 'float32', dims: [batch, scores.classes] });
    }
    const mapDims = oneChannel ? [batch, 1, ...sample.slice(1)] : input.dims;
    writer.output(map, { name: 'map', type: 'float32', dims: mapDims });
    const { score } = this.#head;
    if (score !== undefined) {
      writer.output(this.#inHead(score), { name: 'score', type: 'float32', dims: [batch] });
    }
    writer.output(this.#chosen, { name: 'chosen', type: 'int64', dims: [batch] });
    return { ...writer.build(), irVersion: Math.max(IR_VERSION, graph.irVersion) };
  }

  /** The class, the flat index of the unit, or the channel of a mean. */
  get #chosen(): string {
    return this.#head.index === undefined ? this.#target : this.#inHead(this.#head.index);
  }

  /** Values that every pass keeps, so that the forward passes in them are the same. */
  get #kept(): readonly string[] {
    const { scores, cam } = this.#explained;
    return [...new Set([scores?.value, cam].filter((value) => value !== undefined))];
  }

  #pass(composite: Composite, wrt: string, objective: Objective = this.#explained.objective) {
    const pass = this.#compile(composite, wrt, objective);
    this.#passes.push(pass);
    return pass;
  }

  #compile(composite: Composite, wrt: string, objective: Objective = this.#explained.objective) {
    const { graph, input } = this.#explained;
    const inputDims = { [input.name]: input.dims };
    return compile(graph, { objective, wrt: [wrt], composite, outputs: this.#kept, inputDims });
  }

  #insert(
    into: GraphWriter,
    { graph, targetInput }: CompiledPullback,
    picture: string,
    target: string,
    values: readonly string[],
  ): (value: string) => string {
    // Before the cut: backward passes need the last layer's weights flipped only, which are made of those left out then.
    return into.insert(
      cutGraph(deriveFlippedWeights(graph), { outputs: values }),
      new Map([
        [this.#explained.input.name, picture],
        [targetInput, target],
      ]),
    );
  }
}
