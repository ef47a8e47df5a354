import { isFieldSet } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProtoSchema,
  AttributeProto_AttributeType as AttributeType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  type TypeProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { decodeConstant, decodeInitializer, MAX_ELEMENTS } from './decode-tensor.js';
import { layoutOf } from './element-types.js';
import type { Attribute, Dim, Graph, Initializer, Node, ValueInfo } from './graph.js';
import { topologicalOrder } from './graph-index.js';
import { ModelRest, origins } from './origin.js';
import { badFile, quote, type Source } from './source.js';
import { checkNames } from './validate.js';

/** Both names of ONNX's own operator domain are one. */
export function plainDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/** The Graph a ModelProto holds, checked. Throws `bad-file` naming what is wrong. */
export function decodeModel(model: ModelProto, source: Source): Graph {
  const proto = model.graph;
  if (proto === undefined) throw badFile(source, 'it holds no graph');
  const opsets = decodeOpsets(model, source);
  const irVersion = Number(model.irVersion);
  if (irVersion < 1 || irVersion > MAX_VERSION) {
    throw badFile(source, `its format version (ir_version) ${model.irVersion} does not exist`);
  }
  const initializers = decodeInitializers(proto, source);
  const defaults = new Map<string, ValueInfoProto>();
  const inputs: ValueInfo[] = [];
  for (const message of proto.input) {
    if (initializers.has(message.name)) defaults.set(message.name, message);
    else inputs.push(decodeValueInfo(message, 'input', source));
  }
  const outputs = proto.output.map((message) => decodeValueInfo(message, 'output', source));
  const nodes = proto.node.map((message, index) => decodeNode(message, index, source));
  const valueInfo = new Map<string, ValueInfo>();
  for (const message of proto.valueInfo) {
    valueInfo.set(message.name, decodeValueInfo(message, 'value', source));
  }
  const graph: Graph = {
    name: proto.name,
    inputs,
    outputs,
    nodes,
    initializers,
    valueInfo,
    opsets,
    irVersion,
    rest: new ModelRest(model, defaults, source.folder),
  };
  checkNames(graph, source);
  return { ...graph, nodes: topologicalOrder(nodes, (why) => badFile(source, why)) };
}

const MAX_VERSION = 10_000;

function decodeOpsets(model: ModelProto, source: Source): Map<string, number> {
  const opsets = new Map<string, number>();
  for (const { domain, version } of model.opsetImport) {
    const key = plainDomain(domain);
    const number = Number(version);
    if (number < 1 || number > MAX_VERSION) {
      throw badFile(source, `it asks for version ${version} of the operator set ${quote(domain)}`);
    }
    if (opsets.has(key) && opsets.get(key) !== number) {
      throw badFile(source, `it asks for two versions of the operator set ${quote(domain)}`);
    }
    opsets.set(key, number);
  }
  if (opsets.size === 0) {
    throw badFile(source, 'it does not say which operator set it is written in (opset_import is missing)');
  }
  return opsets;
}

function decodeInitializers(proto: GraphProto, source: Source): Map<string, Initializer> {
  const initializers = new Map<string, Initializer>();
  for (const message of proto.initializer) {
    if (message.name === '') throw badFile(source, 'an initializer has no name');
    if (initializers.has(message.name)) {
      throw badFile(source, `the initializer ${quote(message.name)} is there twice`);
    }
    initializers.set(message.name, decodeInitializer(message, source));
  }
  return initializers;
}

function decodeValueInfo(message: ValueInfoProto, kind: string, source: Source): ValueInfo {
  const { name, type } = message;
  if (name === '') throw badFile(source, `an ${kind} of the graph has no name`);
  const info: ValueInfo = { name, ...decodeType(type, name, kind, source) };
  origins.values.set(info, message);
  return info;
}

function decodeType(
  type: TypeProto | undefined,
  name: string,
  kind: string,
  source: Source,
): Pick<ValueInfo, 'type' | 'dims'> {
  if (type?.value.case !== 'tensorType') return { type: 'other', dims: undefined };
  const { elemType, shape } = type.value.value;
  const impossible = () => badFile(source, `the ${kind} ${quote(name)} has impossible dims`);
  if (shape !== undefined && shape.dim.length > 64) throw impossible();
  let elements = 1;
  const dims = shape?.dim.map(({ value }): Dim => {
    if (value.case === 'dimParam') return value.value;
    // Some exporters write -1 for a size that is known at run time only.
    if (value.case === undefined || value.value === -1n) return '';
    const size = Number(value.value);
    elements *= Math.max(1, size);
    if (size < 0 || elements > MAX_ELEMENTS) throw impossible();
    return size;
  });
  return { type: layoutOf(elemType)?.type ?? 'other', dims };
}

function decodeNode(message: NodeProto, index: number, source: Source): Node {
  const label = message.name !== '' ? message.name : (message.output[0] ?? `number ${index}`);
  if (message.opType === '') throw badFile(source, `the node ${quote(label)} has no operator`);
  const attributes = new Map<string, Attribute>();
  for (const attribute of message.attribute) {
    const what = `the attribute ${quote(attribute.name)} of node ${quote(label)}`;
    if (attribute.name === '') throw badFile(source, `an attribute of node ${quote(label)} has no name`);
    if (attributes.has(attribute.name)) throw badFile(source, `${what} is there twice`);
    attributes.set(attribute.name, decodeAttribute(attribute, what, source));
  }
  const node: Node = {
    name: message.name,
    operator: message.opType,
    domain: plainDomain(message.domain),
    inputs: message.input,
    outputs: message.output,
    attributes,
    ...(message.overload === '' ? {} : { overload: message.overload }),
  };
  origins.nodes.set(node, message);
  return node;
}

function decodeAttribute(message: AttributeProto, what: string, source: Source): Attribute {
  const attribute = attributeOf(message, what, source);
  origins.attributes.set(attribute, message);
  return attribute;
}

function attributeOf(message: AttributeProto, what: string, source: Source): Attribute {
  if (message.refAttrName !== '') return { kind: 'other', value: message };
  switch (typeOf(message)) {
    case AttributeType.FLOAT:
      return { kind: 'float', value: message.f };
    case AttributeType.INT:
      return { kind: 'int', value: saturated(message.i) };
    case AttributeType.STRING:
      return { kind: 'string', value: text(message.s) };
    case AttributeType.TENSOR:
      if (message.t === undefined) throw badFile(source, `${what} says it is a tensor and holds none`);
      return { kind: 'tensor', value: decodeConstant(message.t, what, source) };
    case AttributeType.FLOATS:
      return { kind: 'floats', value: message.floats };
    case AttributeType.INTS:
      return { kind: 'ints', value: message.ints.map(saturated) };
    case AttributeType.STRINGS:
      return { kind: 'strings', value: message.strings.map(text) };
    default:
      return { kind: 'other', value: message };
  }
}

/** Files of the first format versions state no type: the field that is filled tells it. */
function typeOf(message: AttributeProto): AttributeType {
  if (message.type !== AttributeType.UNDEFINED) return message.type;
  const { field } = AttributeProtoSchema;
  if (isFieldSet(message, field.f)) return AttributeType.FLOAT;
  if (isFieldSet(message, field.i)) return AttributeType.INT;
  if (isFieldSet(message, field.s)) return AttributeType.STRING;
  if (isFieldSet(message, field.t)) return AttributeType.TENSOR;
  if (message.floats.length > 0) return AttributeType.FLOATS;
  if (message.ints.length > 0) return AttributeType.INTS;
  if (message.strings.length > 0) return AttributeType.STRINGS;
  return AttributeType.UNDEFINED;
}

/** Integers beyond what a number holds exactly mean "to the end" in practice; their nearest exact number does too. */
function saturated(integer: bigint): number {
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  if (integer > most) return Number.MAX_SAFE_INTEGER;
  return integer < -most ? -Number.MAX_SAFE_INTEGER : Number(integer);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
