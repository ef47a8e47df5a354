import cliProgress from 'cli-progress';
import type { Streams } from './streams.js';

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

const silent: Progress = { update() {}, stop() {} };

/** A bar on a terminal; nothing elsewhere, so logs and pipes stay clean. */
export function createProgress({ err }: Streams, label: string, quiet: boolean): Progress {
  if (quiet || err !== process.stderr || !process.stderr.isTTY) return silent;
  const bar = new cliProgress.SingleBar({
    format: `${label} {bar} {value}/{total}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  });
  let started = false;
  return {
    update(done, total) {
      if (started) bar.update(done);
      else bar.start(total, done);
      started = true;
    },
    stop() {
      if (started) bar.stop();
    },
  };
}
