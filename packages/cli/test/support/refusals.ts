import { expect } from 'vitest';
import { unitscope } from './command.js';
import type { TemporaryFolder } from './files.js';

/**
 * Runs a command that must be refused: with this exit code, one line on the error stream that matches, nothing on the
 * other, and every file and folder as it was.
 */
export async function expectRefusal(
  folder: TemporaryFolder,
  args: readonly string[],
  code: number,
  line: RegExp,
): Promise<void> {
  const before = folder.contents();
  const outcome = await unitscope(args);
  expect(outcome.err).toMatch(line);
  expect(outcome.err).toMatch(/^unitscope: [^\n]+\n$/);
  expect(outcome.err).not.toContain('internal error');
  expect([outcome.code, outcome.out]).toEqual([code, '']);
  expect(folder.contents()).toEqual(before);
}
