import cliProgress from 'cli-progress';
import type { Streams } from './streams.js';

/** A bar on a terminal; nothing elsewhere, so logs and pipes stay clean. */
export function createProgress(streams: Streams, label: string, quiet: boolean): Progress {
  if (quiet || streams.err.isTTY !== true || streams.err !== process.stderr) return silent;
  const bar = new cliProgress.SingleBar({
    format: `${label} {bar} {value}/{total}`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  });
  let started = false;
  return {
    update(done, total) {
      if (!started) bar.start(total, done);
      started = true;
      bar.update(done);
    },
    stop() {
      if (started) bar.stop();
    },
  };
}

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

const silent: Progress = { update() {}, stop() {} };
