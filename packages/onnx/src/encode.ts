import { create, type MessageShape } from '@bufbuild/protobuf';
import { UnitscopeError } from '@unitscope/tensor';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from 'onnx-buf';
import { plainDomain } from './decode.js';
import { dataTypeOf } from './element-types.js';
import type { Attribute, Constant, Dim, Graph, Initializer, Node, ValueInfo } from './graph.js';
import { copyMessage, ModelRest, origins } from './origin.js';

export interface EncodeOptions {
  /** The message of an initializer; by default the one it came from, or one with its data inside. */
  readonly initializer?: (initializer: Initializer) => TensorProto;
  /** Leaves out the file's inputs that an initializer gives a value to, so that a runtime sees constants. */
  readonly constantsOnly?: boolean;
}

/** The ModelProto of a graph. What was read and not changed since is the message it was read from. */
export function encodeModel(graph: Graph, options: EncodeOptions = {}): ModelProto {
  const { rest } = graph;
  const origin = rest === undefined ? undefined : ModelRest.modelOf(rest);
  const model =
    origin === undefined
      ? create(ModelProtoSchema, { producerName: 'unitscope' })
      : copyMessage(ModelProtoSchema, origin);
  if (Number(model.irVersion) !== graph.irVersion) model.irVersion = BigInt(graph.irVersion);
  model.opsetImport = [...graph.opsets].map(
    ([domain, version]) =>
      origin?.opsetImport.find(
        (entry) => plainDomain(entry.domain) === domain && Number(entry.version) === version,
      ) ?? create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
  );
  model.graph = encodeGraph(graph, options);
  return model;
}

/** The GraphProto of a graph, as `encodeModel`; also that of a subgraph, which has no operator sets of its own. */
export function encodeGraph(graph: Graph, options: EncodeOptions = {}): GraphProto {
  const origin = graph.rest === undefined ? undefined : ModelRest.modelOf(graph.rest);
  const proto =
    origin?.graph === undefined ? create(GraphProtoSchema) : copyMessage(GraphProtoSchema, origin.graph);
  if (proto.name !== graph.name) proto.name = graph.name;
  proto.node = graph.nodes.map(encodeNode);
  const encodeInitializer =
    options.initializer ?? ((initializer) => encodeTensor(initializer, initializer.name));
  proto.initializer = [...graph.initializers.values()].map(encodeInitializer);
  proto.input = encodeInputs(graph, origin, options.constantsOnly ?? false);
  proto.output = graph.outputs.map(encodeValueInfo);
  proto.valueInfo = [...graph.valueInfo.values()].map(encodeValueInfo);
  return proto;
}

/** The file's order: inputs that must be fed and inputs with a default are mixed there. */
function encodeInputs(
  graph: Graph,
  origin: ModelProto | undefined,
  constantsOnly: boolean,
): ValueInfoProto[] {
  const encoded = graph.inputs.map(encodeValueInfo);
  if (graph.rest === undefined || origin?.graph === undefined || constantsOnly) return encoded;
  const defaults = ModelRest.defaultsOf(graph.rest);
  const fed = new Map(encoded.map((message) => [message.name, message]));
  const mixed: ValueInfoProto[] = [];
  for (const { name } of origin.graph.input) {
    const kept = graph.initializers.has(name) ? defaults.get(name) : fed.get(name);
    if (kept !== undefined) mixed.push(kept);
    fed.delete(name);
  }
  // The order of the inputs that must be fed is the graph's own wherever it was changed.
  const order = mixed.filter((message) => !defaults.has(message.name));
  if (order.some((message, index) => message !== encoded[index])) {
    return [...encoded, ...mixed.filter((message) => defaults.has(message.name))];
  }
  return [...mixed, ...fed.values()];
}

function encodeNode(node: Node): NodeProto {
  const origin = origins.nodes.get(node);
  const message = origin === undefined ? create(NodeProtoSchema) : copyMessage(NodeProtoSchema, origin);
  message.input = [...node.inputs];
  message.output = [...node.outputs];
  if (message.name !== node.name) message.name = node.name;
  if (message.opType !== node.operator) message.opType = node.operator;
  if (plainDomain(message.domain) !== node.domain) message.domain = node.domain;
  if (message.overload !== (node.overload ?? '')) message.overload = node.overload ?? '';
  message.attribute = [...node.attributes].map(([name, attribute]) => encodeAttribute(name, attribute, node));
  return message;
}

function encodeAttribute(name: string, attribute: Attribute, node: Node): AttributeProto {
  const origin = origins.attributes.get(attribute);
  if (origin !== undefined) {
    return origin.name === name ? origin : Object.assign(copyMessage(AttributeProtoSchema, origin), { name });
  }
  const message = (fields: Omit<Partial<AttributeProto>, '$typeName' | '$unknown'>) =>
    create(AttributeProtoSchema, { name, ...fields });
  const utf8 = (text: string) => new TextEncoder().encode(text);
  switch (attribute.kind) {
    case 'float':
      return message({ type: AttributeType.FLOAT, f: attribute.value });
    case 'int':
      return message({ type: AttributeType.INT, i: BigInt(attribute.value) });
    case 'string':
      return message({ type: AttributeType.STRING, s: utf8(attribute.value) });
    case 'tensor':
      return message({ type: AttributeType.TENSOR, t: encodeTensor(attribute.value, '') });
    case 'floats':
      return message({ type: AttributeType.FLOATS, floats: [...attribute.value] });
    case 'ints':
      return message({ type: AttributeType.INTS, ints: attribute.value.map(BigInt) });
    case 'strings':
      return message({ type: AttributeType.STRINGS, strings: attribute.value.map(utf8) });
    case 'other':
      throw new UnitscopeError(
        'wrong-use',
        `attribute ${name} of node ${node.name} is of kind "other" and was not read from a file; only those can be written`,
        { subject: name },
      );
  }
}

/** The message a constant came from, or a new one with its data as raw bytes. */
export function encodeTensor(constant: Constant, name: string): TensorProto {
  const origin = origins.constants.get(constant);
  if (origin === undefined)
    return create(TensorProtoSchema, { ...tensorHead(constant, name), rawData: rawBytes(constant) });
  return origin.name === name || name === ''
    ? origin
    : Object.assign(copyMessage(TensorProtoSchema, origin), { name });
}

/** Everything of a tensor's message but its data. */
export function tensorHead(
  constant: Constant,
  name: string,
): { name: string; dims: bigint[]; dataType: number } {
  const dataType = origins.constants.get(constant)?.dataType ?? dataTypeOf(constant.type);
  if (dataType === 0) {
    throw new UnitscopeError(
      'wrong-use',
      `the constant ${name} is of type "${constant.type}", which only constants read from a file can have`,
      { subject: name },
    );
  }
  return { name, dims: constant.dims.map(BigInt), dataType };
}

/** The bytes of a constant's data, little endian; a view where it can be. */
export function rawBytes({ data }: Constant): Uint8Array<ArrayBuffer> {
  const { buffer, byteOffset, byteLength } = data;
  if (buffer instanceof ArrayBuffer) return new Uint8Array(buffer, byteOffset, byteLength);
  return new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
}

function encodeValueInfo(info: ValueInfo): ValueInfoProto {
  const origin = origins.values.get(info);
  if (origin !== undefined) return origin;
  const message = create(ValueInfoProtoSchema, { name: info.name });
  const elemType = dataTypeOf(info.type);
  // Without an element type the runtime infers it.
  if (elemType === 0) return message;
  const tensor = create(TypeProto_TensorSchema, { elemType });
  if (info.dims !== undefined) {
    tensor.shape = create(TensorShapeProtoSchema, { dim: info.dims.map(encodeDim) });
  }
  message.type = create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } });
  return message;
}

function encodeDim(dim: Dim): MessageShape<typeof TensorShapeProto_DimensionSchema> {
  if (dim === '') return create(TensorShapeProto_DimensionSchema);
  return create(TensorShapeProto_DimensionSchema, {
    value:
      typeof dim === 'number' ? { case: 'dimValue', value: BigInt(dim) } : { case: 'dimParam', value: dim },
  });
}
