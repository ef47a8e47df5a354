import { create } from '@bufbuild/protobuf';
import { ModelProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import type { Graph } from './graph.js';
import { ModelRest } from './origin.js';

/** What the file says of itself by key and value (`metadata_props`); the last of several entries of one key. */
export function metadataOf({ rest }: Graph): ReadonlyMap<string, string> {
  const entries = rest === undefined ? [] : ModelRest.modelOf(rest).metadataProps;
  return new Map(entries.map(({ key, value }) => [key, value]));
}

/** The graph with further entries of metadata, which take the place of entries with the same keys. */
export function withMetadata(graph: Graph, entries: ReadonlyMap<string, string>): Graph {
  const metadataProps = [...new Map([...metadataOf(graph), ...entries])].map(([key, value]) =>
    create(StringStringEntryProtoSchema, { key, value }),
  );
  const rest =
    graph.rest === undefined
      ? new ModelRest(create(ModelProtoSchema, { producerName: 'unitscope', metadataProps }))
      : ModelRest.withMetadata(graph.rest, metadataProps);
  return { ...graph, rest };
}
