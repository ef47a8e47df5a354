import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TensorData } from './tensor.js';

let nowhere: MessagePort | undefined;

const lent = new WeakMap<ArrayBuffer, (memory: ArrayBuffer) => void>();

/**
 * Says how memory goes back that is lent by native code and may not leave its thread, for `releaseData`. `giveBack` must
 * leave the memory detached.
 */
export function lendMemory(memory: ArrayBuffer, giveBack: (memory: ArrayBuffer) => void): void {
  lent.set(memory, giveBack);
}

/**
 * Gives the memory of an array back at once; the array, and every other over the same memory, is empty afterwards. For
 * large arrays that come and go by the hundred, results of runs among them: the garbage collector counts their memory,
 * and to find out that they are garbage it goes over the whole heap each time. Nothing happens to shared memory, nor to
 * memory that may not leave its thread and of which nobody said how it goes back.
 */
export function releaseData({ buffer }: TensorData): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === 0) return;
  const giveBack = lent.get(buffer);
  if (giveBack !== undefined) {
    giveBack(buffer);
    return;
  }
  // What is transferred to a port whose other end is closed belongs to nobody.
  nowhere ??= closedPort();
  try {
    nowhere.postMessage(undefined, [buffer]);
  } catch (cause) {
    // Node leaves such memory out without a word until version 21, and throws from then on.
    if (!(cause instanceof DOMException && cause.name === 'DataCloneError')) throw cause;
  }
}

function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.unref();
  port2.close();
  return port1;
}
