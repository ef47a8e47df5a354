import type { MapForm } from '../methods/method.js';
import type { StandaloneParameters } from './methods.js';

/** Explains a channel of a layer instead of a class. */
export interface LayerObjective {
  readonly layer: string;
  /** Where it is strongest in each picture (`max`, the default), or its mean over the map. */
  readonly position?: 'max' | 'mean';
}

/** What a file explains, and by what: its metadata. */
export interface StandaloneRecord {
  /** Of unitscope. */
  readonly version: string;
  readonly method: string;
  readonly form: MapForm;
  /** Those that the method reads. */
  readonly parameters: Partial<StandaloneParameters>;
  readonly objective:
    | { readonly kind: 'class'; readonly score: 'logit' }
    | ({ readonly kind: 'unit' } & Required<LayerObjective>);
  /** The class or channel; `input` where it is given at run time. */
  readonly target: number | 'top1' | 'input';
  /** The map in formulas. */
  readonly convention: string;
  /** What a reader of the map should know. */
  readonly notes: readonly string[];
  /** SHA-256 of the network. */
  readonly source_sha256: string;
}

/** Entries of `metadata_props`: text as it is, everything else as JSON. */
export function metadataFor(record: StandaloneRecord): ReadonlyMap<string, string> {
  const entries = Object.entries(record).map(
    ([key, value]: [string, unknown]) =>
      [`unitscope.${key}`, typeof value === 'string' ? value : JSON.stringify(value)] as const,
  );
  return new Map(entries);
}
