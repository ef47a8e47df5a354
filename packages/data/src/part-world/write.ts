import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { throwIfAborted, UnitscopeError, writeFileAtomic } from '@unitscope/tensor';
import { z } from 'zod';
import { parseJsonFile } from '../json-file.js';
import { inOrder } from '../load.js';
import { encodePicture } from '../rasterise.js';
import { annotateScene, type CocoAnnotation, cocoCategories } from './annotate.js';
import { generateScene } from './generate.js';
import { type Intervention, interventionOptions, interventionsOn } from './interventions.js';
import { CATEGORIES } from './recipes.js';
import { type RenderOptions, renderScene, requireSide } from './render.js';
import type { Scene } from './scene.js';
import { partLabel } from './shapes.js';

export interface PartWorldOptions {
  /** How many pictures: the first so many of the seed. */
  readonly pictures: number;
  /** Their height and width in pixels, from 64 to 1024. */
  readonly size: number;
  readonly seed: number;
  /** Only the first so many of `CATEGORIES`. */
  readonly categories: number;
  /** Also the same pictures with one part removed or exchanged, for every part that can be seen. */
  readonly interventions?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called after each picture. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was written. */
export interface WrittenPartWorld {
  /** The file to read it by: `readCoco(annotations)`. */
  readonly annotations: string;
  readonly interventions?: string;
  /** Picture files in the folder, those of interventions included, and how many of them were drawn now. */
  readonly files: number;
  readonly drawn: number;
}

const WORLD_FILE = 'part-world.json';
const ANNOTATIONS_FILE = 'annotations.json';
const INTERVENTIONS_FILE = 'interventions.json';

// Goes up whenever the same seed gives other pictures, so that old and new ones are not mixed in a folder.
const GENERATION = 1;

// Their annotations are about 400 MB, which are held until they are written.
const MOST_PICTURES = 100_000;

const worldSchema = z.object({
  generation: z.int(),
  seed: z.int(),
  size: z.int(),
  categories: z.int(),
});
type World = z.output<typeof worldSchema>;

/**
 * Writes a part world to a folder: `images/`, `annotations.json` in the format of COCO, `part-world.json` with what it was
 * made from and, where asked for, `interventions/` with `interventions.json`. Every file is written whole or not at all.
 * Pictures that are there are not drawn again: what was stopped goes on, and a world can be extended. The same options
 * give the same annotations, byte by byte.
 *
 * Throws `wrong-use` for options out of range and for a folder with another world or data set, `not-found` where it cannot
 * be written, `aborted`.
 */
export async function writePartWorld(folder: string, options: PartWorldOptions): Promise<WrittenPartWorld> {
  const { pictures, size, seed, categories, interventions = false, signal, onProgress } = options;
  if (!Number.isInteger(pictures) || pictures < 1 || pictures > MOST_PICTURES)
    throw new UnitscopeError('wrong-use', `a part world has 1 to ${MOST_PICTURES} pictures, not ${pictures}`);
  requireSide(size);
  generateScene(seed, pictures - 1, { categories });
  throwIfAborted(signal);
  await claimFolder(folder, { generation: GENERATION, seed, size, categories });

  const writer = new PictureWriter(folder, options);
  const lists = { images: new JsonLines(), annotations: new JsonLines(), interventions: new JsonLines() };
  let annotated = 0;
  const indices = Array.from({ length: pictures }, (_, i) => i);
  const written = inOrder(indices, (index, stop) => writer.write(index, stop), {
    concurrency: availableParallelism(),
    signal,
  });
  let done = 0;
  for await (const { name, annotations, changed } of written) {
    const id = done + 1;
    lists.images.add({ id, file_name: name, width: size, height: size });
    for (const annotation of annotations)
      lists.annotations.add({ id: ++annotated, image_id: id, ...annotation });
    for (const { label, kind, donor, file } of changed) {
      const exchanged = donor === undefined ? {} : { donor: CATEGORIES[donor]!.name };
      lists.interventions.add({ image: name, part: label, kind, ...exchanged, file });
    }
    done++;
    onProgress?.(done, pictures);
  }

  const info = { description: 'part world', generation: GENERATION, seed, size, categories };
  const paths = {
    annotations: join(folder, ANNOTATIONS_FILE),
    interventions: join(folder, INTERVENTIONS_FILE),
  };
  await writeFileAtomic(
    paths.annotations,
    jsonObject({
      info: jsonBytes(info),
      categories: jsonBytes(cocoCategories(categories)),
      images: lists.images.bytes(),
      annotations: lists.annotations.bytes(),
    }),
  );
  const { files, drawn } = writer;
  if (!interventions) return { annotations: paths.annotations, files, drawn };
  await writeFileAtomic(
    paths.interventions,
    jsonObject({ seed: jsonBytes(seed), interventions: lists.interventions.bytes() }),
  );
  return { ...paths, files, drawn };
}

interface WrittenPicture {
  readonly name: string;
  readonly annotations: readonly CocoAnnotation[];
  /** With what the annotations call the part. */
  readonly changed: readonly (Intervention & { readonly label: string; readonly file: string })[];
}

class PictureWriter {
  files = 0;
  drawn = 0;
  readonly #folder: string;
  readonly #options: PartWorldOptions;
  readonly #ids: ReadonlyMap<string, number>;

  constructor(folder: string, options: PartWorldOptions) {
    this.#folder = folder;
    this.#options = options;
    this.#ids = new Map(
      cocoCategories(options.categories).map(({ id, name, supercategory }) => [
        `${supercategory} ${name}`,
        id,
      ]),
    );
  }

  async write(index: number, signal: AbortSignal): Promise<WrittenPicture> {
    const { seed, size, categories, interventions = false } = this.#options;
    const scene = generateScene(seed, index, { categories });
    const stem = String(index).padStart(6, '0');
    const { annotations, visibleParts } = await annotateScene(
      scene,
      size,
      (supercategory, name) => this.#ids.get(`${supercategory} ${name}`)!,
    );
    await this.#draw(join('images', `${stem}.png`), scene, { size }, signal);
    const changes = interventions ? interventionsOn(scene, visibleParts, { seed, index, categories }) : [];
    const changed: WrittenPicture['changed'][number][] = [];
    for (const change of changes) {
      const file = `interventions/${stem}-${change.part}-${change.kind}.png`;
      await this.#draw(file, scene, { size, ...interventionOptions(change) }, signal);
      changed.push({ ...change, label: partLabel(change.part, scene.parts[change.part]!.shape), file });
    }
    return { name: `${stem}.png`, annotations, changed };
  }

  async #draw(file: string, scene: Scene, options: RenderOptions, signal: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    const path = join(this.#folder, file);
    this.files++;
    if (await exists(path)) return;
    await writeFileAtomic(path, await encodePicture(await renderScene(scene, options)));
    this.drawn++;
  }
}

/** A JSON list, gathered as bytes: as one text a large one would be longer than a string can be. */
class JsonLines {
  readonly #chunks: Buffer[] = [];

  add(value: unknown): void {
    const start = this.#chunks.length === 0 ? '[\n' : ',\n';
    this.#chunks.push(Buffer.from(start + JSON.stringify(value)));
  }

  bytes(): Buffer {
    return Buffer.concat([...this.#chunks, Buffer.from(this.#chunks.length === 0 ? '[]' : '\n]')]);
  }
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** A JSON object of values that are JSON already. */
function jsonObject(values: Readonly<Record<string, Buffer>>): Buffer {
  const fields = Object.entries(values).flatMap(([name, value], i) => {
    const start = `${i === 0 ? '{' : ',\n'}${JSON.stringify(name)}:`;
    return [Buffer.from(start), value];
  });
  const end = '}\n';
  return Buffer.concat([...fields, Buffer.from(end)]);
}

/** Marks a folder as that of a world. Throws `wrong-use` for one that holds another, or a data set that is none. */
async function claimFolder(folder: string, world: World): Promise<void> {
  const path = join(folder, WORLD_FILE);
  const refuse = (why: string) =>
    new UnitscopeError('wrong-use', `${folder} holds ${why}; choose another folder`, { subject: folder });
  if (await exists(path)) {
    const found = await parseJsonFile(path, worldSchema, 'part world');
    const field = (['generation', 'seed', 'size', 'categories'] as const).find(
      (name) => found[name] !== world[name],
    );
    if (field === undefined) return;
    throw refuse(`a part world of ${field} ${found[field]}, not ${world[field]}`);
  }
  for (const name of [ANNOTATIONS_FILE, 'images', 'interventions'])
    if (await exists(join(folder, name))) throw refuse(`${name} of something else`);
  await writeFileAtomic(path, `${JSON.stringify(world, null, 1)}\n`);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
