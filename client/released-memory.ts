import { MessageChannel } from 'node:worker_threads';

const { port1: sender, port2: receiver } = new MessageChannel();
receiver.close();
sender.unref();

/** The collector deals with smaller buffers for less than a message costs. */
const smallest = 16 * 1024;
/** So many bytes go with one message: what fits into a processor's cache. */
const together = 1024 * 1024;

let waiting: ArrayBuffer[] = [];
let waitingBytes = 0;

/**
 * Gives the memory of array buffers back soon; they must not be read any more. Left to the collector, buffers that onnxruntime makes anew in
 * every run pile up until their pages have left the cache, or were given back to the system and have to be mapped again, and call for
 * collections of everything else. A message that moves buffers to a port that is closed is dropped, and they with it, when the event
 * loop turns next.
 */
export function release(buffers: readonly ArrayBuffer[]): void {
  for (const buffer of buffers) {
    if (buffer.byteLength < smallest) continue;
    waiting.push(buffer);
    waitingBytes += buffer.byteLength;
  }
  if (waitingBytes < together) return;
  sender.postMessage(undefined, waiting);
  waiting = [];
  waitingBytes = 0;
}
