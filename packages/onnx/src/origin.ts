import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  TensorAnnotationSchema,
  type TensorProto,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import type { Attribute, Constant, Graph, Node, ValueInfo } from './graph.js';

/**
 * What a file holds beyond its Graph: producer, documentation, metadata, functions, sparse initializers, training
 * information, fields newer than this version. It travels with every Graph made from the one that was read.
 */
export class ModelRest {
  readonly #model: ModelProto;
  readonly #defaults: ReadonlyMap<string, ValueInfoProto>;
  readonly #folder: string | undefined;

  /**
   * @param defaults the file's inputs that an initializer gives a value to, by name
   * @param folder where the file's external data lies
   */
  constructor(
    model: ModelProto,
    defaults: ReadonlyMap<string, ValueInfoProto> = new Map(),
    folder: string | undefined = undefined,
  ) {
    this.#model = model;
    this.#defaults = defaults;
    this.#folder = folder;
  }

  static modelOf(rest: ModelRest): ModelProto {
    return rest.#model;
  }

  static defaultsOf(rest: ModelRest): ReadonlyMap<string, ValueInfoProto> {
    return rest.#defaults;
  }

  /** The same, where it speaks of values by name, with their new names. */
  static renamed(rest: ModelRest, rename: (name: string) => string): ModelRest {
    const model = copyMessage(ModelProtoSchema, rest.#model);
    if (model.graph === undefined) return rest;
    const input = model.graph.input.map((message) => {
      const name = rename(message.name);
      return name === message.name
        ? message
        : Object.assign(copyMessage(ValueInfoProtoSchema, message), { name });
    });
    const quantizationAnnotation = model.graph.quantizationAnnotation.map((message) =>
      Object.assign(copyMessage(TensorAnnotationSchema, message), { tensorName: rename(message.tensorName) }),
    );
    model.graph = Object.assign(copyMessage(GraphProtoSchema, model.graph), {
      input,
      quantizationAnnotation,
    });
    const defaults = new Map(
      input
        .filter(({ name }, index) => rest.#defaults.has(rest.#model.graph?.input[index]?.name ?? name))
        .map((message) => [message.name, message]),
    );
    return new ModelRest(model, defaults, rest.#folder);
  }

  /** The same, but for the model; of a graph that comes from no file, nothing but the model. */
  static withModel(rest: ModelRest | undefined, model: ModelProto): ModelRest {
    return rest === undefined ? new ModelRest(model) : new ModelRest(model, rest.#defaults, rest.#folder);
  }

  static folderOf(rest: ModelRest): string | undefined {
    return rest.#folder;
  }
}

/** The messages that objects of a Graph were decoded from: an object that is still there is written back as it was. */
export const origins = {
  bytes: new WeakMap<Graph, Uint8Array>(),
  nodes: new WeakMap<Node, NodeProto>(),
  attributes: new WeakMap<Attribute, AttributeProto>(),
  constants: new WeakMap<Constant, TensorProto>(),
  values: new WeakMap<ValueInfo, ValueInfoProto>(),
};

/** A message with the same fields, known and unknown, that can be changed without changing the first. */
export function copyMessage<D extends DescMessage>(schema: D, message: MessageShape<D>): MessageShape<D> {
  return Object.assign(create(schema), message satisfies Message);
}

/** Values made by the file's sparse initializers, which a Graph does not model. */
export function sparseNames(rest: ModelRest | undefined): string[] {
  const sparse = rest === undefined ? [] : (ModelRest.modelOf(rest).graph?.sparseInitializer ?? []);
  return sparse.map((initializer) => initializer.values?.name ?? '').filter((name) => name !== '');
}

/** The model's own functions, as `domain::operator`. */
export function functionNames(rest: ModelRest | undefined): Set<string> {
  const functions = rest === undefined ? [] : ModelRest.modelOf(rest).functions;
  return new Set(functions.map(({ domain, name }) => `${domain}::${name}`));
}

/** A changed node that keeps what the Graph does not model of the first: documentation, metadata, unknown fields. */
export function deriveNode(node: Node, changes: Partial<Node>): Node {
  const derived = { ...node, ...changes };
  const origin = origins.nodes.get(node);
  if (origin !== undefined) origins.nodes.set(derived, origin);
  return derived;
}
