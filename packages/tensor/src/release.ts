import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { TensorData } from './tensor.js';

let nowhere: MessagePort | undefined;

/**
 * Gives the memory of an array back at once; the array, and every other over the same memory, is empty afterwards. For
 * large arrays that come and go by the hundred: the garbage collector counts their memory, and to find out that they are
 * garbage it goes over the whole heap each time. Nothing happens to shared memory, nor to memory that may not leave its
 * thread, such as that of results that native code lends: it goes back when it is collected.
 */
export function releaseData({ buffer }: TensorData): void {
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === 0) return;
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
