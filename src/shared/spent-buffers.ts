/**
 * Giving the memory of stream chunks back at once. A stream allocates a new buffer for each read, and the collector
 * lets some 60 MB of them pile up; of a flood of output that would be all that we grow.
 */
import { MessageChannel } from 'node:worker_threads';

/** Below that the collector does well enough. */
const FLOOD_BYTES = 2 ** 20;

/**
 * The returned function takes over chunks that nobody else uses: once a megabyte came by, their memory is freed and
 * they read as empty. (`ArrayBuffer.transfer`, made for this, is not in Node 20; what is transferred to a closed port
 * is dropped with the message.)
 */
export function createDisposer(): (chunk: Buffer) => void {
  let seenBytes = 0;
  let drop: ((buffer: ArrayBuffer) => void) | undefined;
  return (chunk) => {
    seenBytes += chunk.length;
    // A chunk that is part of a larger buffer shares it with others.
    if (seenBytes < FLOOD_BYTES || chunk.buffer.byteLength !== chunk.length) return;
    if (!(chunk.buffer instanceof ArrayBuffer)) return;
    drop ??= createDrop();
    drop(chunk.buffer);
  };
}

function createDrop(): (buffer: ArrayBuffer) => void {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return (buffer) => port1.postMessage(null, [buffer]);
}
