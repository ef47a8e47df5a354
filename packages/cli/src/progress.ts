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
    format: `${label} {bar} {value}/{total}  {rate}/s, {eta_formatted} left`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
  });
  let started = false;
  let [from, since] = [0, 0];
  return {
    update(done, total) {
      if (!started) {
        [from, since] = [done, performance.now()];
        bar.start(total, done, { rate: '0' });
      }
      started = true;
      const seconds = (performance.now() - since) / 1000;
      // What a resumed run had done before says nothing about how fast it is now.
      bar.update(done, { rate: seconds > 0 ? ((done - from) / seconds).toFixed(1) : '0' });
    },
    stop() {
      if (started) bar.stop();
    },
  };
}
