import { z } from 'zod';
import type { LabelTable } from './data-set.js';
import { parseJsonFile } from './json-file.js';

const label = z.object({ index: z.int().positive(), name: z.string(), category: z.string() });
const schema = z.object({
  categories: z.array(z.string()),
  labels: z.array(label),
  pixelLayers: z.array(z.string()).default([]),
  imageLayers: z.array(z.string()).default([]),
});

/**
 * A label table from a JSON file: `{"categories": ["object"], "labels": [{"index": 1, "name": "sky", "category":
 * "object"}], "pixelLayers": ["object"], "imageLayers": []}`.
 *
 * Throws `not-found`, and `bad-file` naming the field that is wrong.
 */
export async function readLabelTable(path: string): Promise<LabelTable> {
  return parseJsonFile(path, schema, 'label table');
}
