import type { Dim, ElementType, GraphBuilder, NodeOptions, PlainAttributes, Shapes } from '@unitscope/onnx';
import { UnitscopeError } from '@unitscope/tensor';

/** What an injection sees of the value it is at, and how it writes its part of the graph. */
export interface InjectionContext {
  /** The value of the forward pass. */
  readonly value: string;
  /** The whole signal that has arrived at it: dL/dvalue of the loss. */
  readonly signal: string;
  readonly builder: GraphBuilder;
  dims(value: string): readonly Dim[];
  emit(
    operator: string,
    inputs: readonly string[],
    attributes?: PlainAttributes,
    options?: NodeOptions,
  ): string;
  /** A run-time input of the training graph, such as a strength; the name must be free. Gives it back. */
  input(name: string, type: ElementType, dims: readonly Dim[]): string;
  /** Gives a value out besides the loss, under a name that must be free. */
  output(name: string, value: string, type: ElementType, dims: readonly Dim[] | undefined): void;
}

/** A term of the total gradient that no loss on the scores gives: it changes the signal at a value of the network. */
export interface Injection {
  /** The value of the forward pass, of which something trainable lies behind. */
  readonly value: string;
  /** Writes the nodes of the term; the value it gives takes the place of the signal. */
  readonly emit: (context: InjectionContext) => string;
}

export interface InjectedOutput {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly Dim[] | undefined;
}

/** Runs the injections of a value one after the other on what has arrived there. */
export function injecting(
  injections: readonly Injection[],
  builder: GraphBuilder,
  shapes: Shapes,
): {
  readonly revise: (value: string, signal: string) => string;
  readonly outputs: readonly InjectedOutput[];
} {
  const outputs: InjectedOutput[] = [];
  const revise = (value: string, arrived: string): string =>
    injections
      .filter((injection) => injection.value === value)
      .reduce(
        (signal, { emit }) =>
          emit({
            value,
            signal,
            builder,
            dims: (name) => {
              const dims = shapes.dims(name);
              if (dims !== undefined) return dims;
              throw new UnitscopeError('unsupported', `the dims of ${name} cannot be inferred`, {
                subject: name,
              });
            },
            emit: (operator, inputs, attributes = {}, options = {}) =>
              builder.node(operator, inputs, attributes, { name: `inject/${value}/${operator}`, ...options }),
            input: (name, type, dims) => builder.input({ name, type, dims }),
            output: (name, of, type, dims) => {
              const inputs = [of];
              const attributes = new Map();
              builder.append({ name, operator: 'Identity', domain: '', inputs, outputs: [name], attributes });
              outputs.push({ name, type, dims });
            },
          }),
        arrived,
      );
  return { revise, outputs };
}
