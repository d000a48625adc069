import { MessageChannel } from 'node:worker_threads';

const { port1: sender, port2: receiver } = new MessageChannel();
receiver.close();
sender.unref();

/**
 * Gives the memory of array buffers back when the event loop turns next; they are empty from now on. Left to the collector, buffers that
 * onnxruntime makes anew in every run pile up until their pages have left the cache, or were given back to the system and have to be mapped
 * again, and call for collections of everything else. A message that moves buffers to a port that is closed is dropped, and they with it.
 */
export function release(buffers: readonly ArrayBuffer[]): void {
  sender.postMessage(undefined, buffers);
}
