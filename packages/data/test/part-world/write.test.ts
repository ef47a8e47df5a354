import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  decodePicture,
  generateScene,
  interventionOptions,
  labelMapOf,
  openDataSet,
  PART_WORLD_CATEGORIES,
  PARTS,
  readCoco,
  renderScene,
  truthOf,
  writePartWorld,
} from '../../src/index.js';
import { partLabel } from '../../src/part-world/shapes.js';
import { visibleRegions } from '../../src/part-world/truth.js';
import { temporaryFolder } from '../support/pictures.js';

const root = temporaryFolder();
const folder = (name: string) => join(root, name);
const SMALL = { pictures: 6, size: 96, seed: 4, categories: 10 };
const contents = (name: string) =>
  Object.fromEntries(
    readdirSync(folder(name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(folder(name).length), readFileSync(path).toString('base64')]),
  );

describe('a part world on disk', () => {
  it('says the truth through the reader of COCO files', async () => {
    const { annotations, files, drawn } = await writePartWorld(folder('world'), SMALL);
    expect([files, drawn]).toEqual([6, 6]);
    const set = await readCoco(annotations);
    expect((await openDataSet(folder('world'))).sha256).toBe(set.sha256);
    expect(set.table.pixelLayers).toEqual(['object', 'part', 'color', 'texture', 'scenery']);
    expect(set.landmarkNames).toEqual([...PARTS]);
    const layer = (name: string) => set.table.pixelLayers.indexOf(name);
    const nameOf = new Map(set.table.labels.map(({ index, name }) => [index, name]));
    for (const [i, example] of set.examples.entries()) {
      const scene = generateScene(4, i);
      const { size } = SMALL;
      expect((await decodePicture(example.path)).rgb).toEqual(await renderScene(scene, { size }));
      const { masks, boxes, landmarks } = await truthOf(scene, size);
      const { regions, owners } = await visibleRegions(scene, size);
      const { pixelLabels, objects } = await example.annotate();
      const drawn = (place: number) => {
        const labels = pixelLabels[place];
        return labels === undefined ? new Int32Array(size * size) : labelMapOf(labels).data;
      };
      const shown = (name: string) => Array.from(drawn(layer(name)), (index) => nameOf.get(index));
      const regionNames = (of: (region: (typeof regions)[number]) => string | undefined) =>
        Array.from(owners, (owner) => of(regions[owner - 1]!));

      const { name } = PART_WORLD_CATEGORIES[scene.category]!;
      const parts = Array.from(owners, (_, pixel) => PARTS.find((part) => masks.get(part)![pixel] === 1));
      expect(shown('object')).toEqual(parts.map((part) => (part === undefined ? undefined : name)));
      expect(shown('part')).toEqual(
        parts.map((part) => (part === undefined ? undefined : partLabel(part, scene.parts[part]!.shape))),
      );
      expect(shown('color')).toEqual(regionNames(({ color }) => color));
      expect(shown('texture')).toEqual(
        regionNames(({ texture }) => (texture === 'plain' ? undefined : texture)),
      );
      expect(shown('scenery')).toEqual(
        regionNames(({ part, label }) => (part === undefined ? label : undefined)),
      );

      const [creature, ...others] = objects;
      expect(creature!.category).toBe(name);
      expect(creature!.landmarks).toEqual(
        [...landmarks].flatMap(([part, { x, y, visible }]) => (visible ? [{ name: part, x, y }] : [])),
      );
      for (const [part, box] of boxes) {
        const label = partLabel(part, scene.parts[part]!.shape);
        expect(others.find(({ category }) => category === label)!.box).toEqual(box);
      }
      const edges = [...boxes.values()];
      expect(creature!.box.left).toBe(Math.min(...edges.map(({ left }) => left)));
      expect(creature!.box.top + creature!.box.height).toBe(
        Math.max(...edges.map((box) => box.top + box.height)),
      );
    }
  });

  it('is the same from parts, in another order, after a stop, and extended', async () => {
    await writePartWorld(folder('whole'), { ...SMALL, pictures: 4, interventions: true });
    const stop = new AbortController();
    const stopped = writePartWorld(folder('parts'), {
      ...SMALL,
      pictures: 4,
      interventions: true,
      signal: stop.signal,
      onProgress: (done) => {
        if (done === 2) stop.abort();
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    expect(Object.keys(contents('parts'))).not.toContain('/annotations.json');
    expect(Object.keys(contents('parts')).filter((path) => path.endsWith('.part'))).toEqual([]);
    await writePartWorld(folder('parts'), { ...SMALL, pictures: 3, interventions: true });
    rmSync(join(folder('parts'), 'images', '000001.png'));
    const { files, drawn } = await writePartWorld(folder('parts'), {
      ...SMALL,
      pictures: 4,
      interventions: true,
    });
    expect(drawn).toBeLessThan(files);
    expect(contents('parts')).toEqual(contents('whole'));
    expect(
      await writePartWorld(folder('parts'), { ...SMALL, pictures: 4, interventions: true }),
    ).toMatchObject({
      drawn: 0,
    });
  });

  it('lists interventions that are what they say', async () => {
    await writePartWorld(folder('judged'), { ...SMALL, pictures: 2, interventions: true });
    const { interventions } = JSON.parse(readFileSync(join(folder('judged'), 'interventions.json'), 'utf8'));
    expect(new Set(interventions.map(({ kind }: { kind: string }) => kind))).toEqual(
      new Set(['removed', 'exchanged']),
    );
    expect(readdirSync(join(folder('judged'), 'interventions')).length).toBe(interventions.length);
    for (const { image, part: label, kind, donor, file } of interventions) {
      const scene = generateScene(4, Number.parseInt(image, 10));
      // The annotations call a mouth what it is.
      const isMouth = label === 'beak' || label === 'snout';
      const part = isMouth ? 'mouth' : label;
      if (isMouth) expect(partLabel('mouth', scene.parts.mouth!.shape)).toBe(label);
      const category = PART_WORLD_CATEGORIES.findIndex(({ name }) => name === donor);
      expect(category === -1).toBe(kind === 'removed');
      if (category !== -1)
        expect(PART_WORLD_CATEGORIES[category]!.parts[part as 'wing']).not.toEqual(
          scene.parts[part as 'wing'],
        );
      const options = interventionOptions(category === -1 ? { part, kind } : { part, kind, donor: category });
      const { rgb } = await decodePicture(join(folder('judged'), file));
      const expected = await renderScene(scene, { size: 96, ...options });
      expect(Buffer.compare(rgb.data, expected.data), file).toBe(0);
    }
  });

  it('has one kind of creature where one is asked for, and then no exchange', async () => {
    const { annotations } = await writePartWorld(folder('one'), {
      ...SMALL,
      pictures: 2,
      categories: 1,
      interventions: true,
    });
    expect(
      (await readCoco(annotations)).table.labels.filter(({ category }) => category === 'object').length,
    ).toBe(1);
    expect(readFileSync(join(folder('one'), 'interventions.json'), 'utf8')).not.toContain('exchanged');
  });

  it.each([
    [{ pictures: 0 }, /1 to 100000 pictures, not 0/],
    [{ size: 32 }, /from 64 to 1024 pixels wide, not 32/],
    [{ categories: 0 }, /from 1 to 10, not 0/],
    [{ seed: 1.5 }, /a seed/],
  ])('is refused for %j', async (wrong, message) => {
    await expect(writePartWorld(folder('none'), { ...SMALL, ...wrong })).rejects.toThrow(message);
    expect(readdirSync(root)).not.toContain('none');
  });

  it('does not mix with another', async () => {
    await writePartWorld(folder('mine'), { ...SMALL, pictures: 1 });
    const before = contents('mine');
    await expect(writePartWorld(folder('mine'), { ...SMALL, seed: 5 })).rejects.toThrow(/seed 4, not 5/);
    await expect(writePartWorld(folder('mine'), { ...SMALL, size: 64 })).rejects.toThrow(/size 96, not 64/);
    expect(contents('mine')).toEqual(before);
    mkdirSync(folder('foreign'));
    writeFileSync(join(folder('foreign'), 'annotations.json'), '{}');
    await expect(writePartWorld(folder('foreign'), SMALL)).rejects.toThrow(
      /annotations.json of something else/,
    );
  });
});
