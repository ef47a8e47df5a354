// Loaded into a measured process before its program: at its end, its peak of resident memory in bytes goes to the file
// descriptor 3.
import { readFileSync, writeSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

/** Linux counts since the program was started; `getrusage` since before, so that a child starts at its parent's size. */
function peakBytes(): number {
  try {
    const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    if (line !== null) return Number(line[1]) * 1024;
  } catch {
    // Another system.
  }
  return process.resourceUsage().maxRSS * 1024;
}

if (isMainThread) process.on('exit', () => writeSync(3, `${JSON.stringify({ peak: peakBytes() })}\n`));
