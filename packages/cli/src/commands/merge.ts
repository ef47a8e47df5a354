import { join } from 'node:path';
import { UnitscopeError } from '@unitscope/tensor';
import type { Command } from 'commander';

import { resultOf, writeResults } from '../dissection/results.js';
import {
  COUNTS_FILE,
  type CountPass,
  readCounts,
  readThresholds,
  saveCounts,
  saveThresholds,
  startCounts,
  startThresholds,
  THRESHOLDS_FILE,
  type ThresholdPass,
} from '../dissection/saved-pass.js';
import { describeDissection } from '../dissection/summary.js';
import { requireSameRun, WHOLE } from '../passes/identity.js';
import { isComplete, type Pass } from '../passes/saved-pass.js';
import type { Surroundings } from '../streams.js';

interface MergeOptions {
  readonly out: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `unitscope merge SHARD... --out DIR`: the parts of a dissection put together. */
export function addMergeCommand(program: Command, { streams }: Surroundings): void {
  program
    .command('merge')
    .description(
      'Puts the shards of a dissection together: their thresholds, or once they are counted, the result.',
    )
    .argument('<shard...>', 'the folders of all shards')
    .requiredOption('--out <dir>', 'the folder for what they make together')
    .option('--json', 'print one JSON record instead of text')
    .option('--quiet', 'print results only')
    .action(async (folders: string[], { out, json, quiet }: MergeOptions) => {
      const say = (text: string) => {
        if (!json) streams.out.write(text);
      };
      const thresholds = mergeThresholds(await readAll(folders, THRESHOLDS_FILE, readThresholds));
      await saveThresholds(out, thresholds);
      const counted = await Promise.all(folders.map(readCounts));
      if (counted.some((pass) => pass === undefined)) {
        if (json) streams.out.write(`${JSON.stringify({ out, files: [THRESHOLDS_FILE] }, null, 2)}\n`);
        say(`wrote ${join(out, THRESHOLDS_FILE)}; count every shard by --thresholds ${out} --resume next\n`);
        return;
      }
      const counts = mergeCounts(await readAll(folders, COUNTS_FILE, readCounts));
      requireSameRun(out, thresholds.identity, counts.identity);
      await saveCounts(out, counts);
      const result = resultOf(thresholds, counts);
      const files = await writeResults(out, result);
      if (json) streams.out.write(`${JSON.stringify({ out, files, summary: result.summary }, null, 2)}\n`);
      else say(describeDissection(result));
      if (!quiet) say(`wrote ${files.length} files to ${out}\n`);
    });
}

/** The same pass of every shard: of one run, complete, each shard once. Throws `wrong-use` saying which is not. */
async function readAll<P extends Pass>(
  folders: readonly string[],
  file: string,
  read: (folder: string) => Promise<P | undefined>,
): Promise<P[]> {
  const passes: P[] = [];
  const seen = new Map<number, string>();
  for (const folder of folders) {
    const pass = await read(folder);
    const path = join(folder, file);
    const refuse = (why: string) => new UnitscopeError('wrong-use', `${path} ${why}`, { subject: path });
    if (pass === undefined) throw refuse('is missing; dissect that shard first');
    const [first = pass] = passes;
    requireSameRun(path, pass.identity, first.identity);
    const { index, of } = pass.shard;
    if (of !== first.shard.of) throw refuse(`is of ${of} shards, ${folders[0]} of ${first.shard.of}`);
    const twin = seen.get(index);
    if (twin !== undefined) throw refuse(`is shard ${index}/${of}, and so is that in ${twin}`);
    if (!isComplete(pass)) throw refuse('is not finished; go on with it by --resume');
    seen.set(index, folder);
    passes.push(pass);
  }
  const { of } = passes[0]!.shard;
  const missing = Array.from({ length: of }, (_, i) => i + 1).filter((index) => !seen.has(index));
  if (missing.length > 0) {
    throw new UnitscopeError(
      'wrong-use',
      `shard ${missing.join(', ')} of ${of} is missing; name the folders of all`,
    );
  }
  return passes;
}

function mergeThresholds(passes: readonly ThresholdPass[]): ThresholdPass {
  const whole = startThresholds(passes[0]!.identity, WHOLE);
  for (const { thresholds, top, skipped, done } of passes) {
    whole.thresholds.merge(thresholds);
    whole.top.merge(top);
    whole.skipped.push(...skipped);
    whole.done += done;
  }
  return whole;
}

function mergeCounts(passes: readonly CountPass[]): CountPass {
  const { identity, thresholds } = passes[0]!;
  const whole = startCounts(identity, WHOLE, thresholds);
  for (const pass of passes) {
    if (pass.thresholds.some((value, unit) => !Object.is(value, thresholds[unit])))
      throw new UnitscopeError(
        'wrong-use',
        'the shards were counted under different thresholds; count them again',
      );
    whole.counts.merge(pass.counts);
    whole.skipped.push(...pass.skipped);
    whole.done += pass.done;
  }
  return whole;
}
