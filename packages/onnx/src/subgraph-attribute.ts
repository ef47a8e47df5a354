import { create } from '@bufbuild/protobuf';
import { AttributeProtoSchema, AttributeProto_AttributeType as AttributeType } from 'onnx-buf';
import { encodeGraph } from './encode.js';
import type { Attribute, Graph } from './graph.js';
import { origins } from './origin.js';

/**
 * A graph as an attribute, such as the `body` of a Loop. What the body reads and neither makes nor has as an input is a
 * value of the graph around it: such values count as read by the node, and weights used there are not copied. The
 * names a body gives must not be those of values around it.
 *
 * @param name the attribute's
 */
export function subgraphAttribute(name: string, body: Graph): Attribute {
  const message = create(AttributeProtoSchema, { name, type: AttributeType.GRAPH, g: encodeGraph(body) });
  const attribute: Attribute = { kind: 'other', value: message };
  origins.attributes.set(attribute, message);
  return attribute;
}
