import { create } from '@bufbuild/protobuf';
import { ModelProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import type { Graph } from './graph.js';
import { copyMessage, ModelRest } from './origin.js';

/** The texts a file carries beside its graph (`metadata_props`), by key. */
export function metadataOf({ rest }: Graph): ReadonlyMap<string, string> {
  const entries = rest === undefined ? [] : ModelRest.modelOf(rest).metadataProps;
  return new Map(entries.map(({ key, value }) => [key, value]));
}

/** The graph with these texts besides those it carries, or in place of those of the same keys. */
export function withMetadata(graph: Graph, entries: ReadonlyMap<string, string>): Graph {
  const { rest } = graph;
  const model =
    rest === undefined
      ? create(ModelProtoSchema, { producerName: 'unitscope' })
      : copyMessage(ModelProtoSchema, ModelRest.modelOf(rest));
  model.metadataProps = [
    ...model.metadataProps.filter(({ key }) => !entries.has(key)),
    ...[...entries].map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
  ];
  return { ...graph, rest: ModelRest.withModel(rest, model) };
}
