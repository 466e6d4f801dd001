/**
 * The lines that wait to be shipped, as bytes outside of V8's heap. What does not fit pushes out the oldest: whoever reads the
 * log after an outage of its destination needs the end of the story first.
 */

export interface Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly lines: number;
}

export interface Backlog {
  /** Adds a line, and tells how many older ones had to go for it. */
  add(line: string): number;
  /** Takes the oldest lines out, at most 64 KiB of them; undefined: there are none. */
  take(): Batch | undefined;
  /** How many lines wait. */
  size(): number;
}

/** A longer line is cut, so that each fits a datagram with its header. */
const LONGEST_LINE_BYTES = 32 * 1024;
const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

interface Block {
  readonly bytes: Buffer;
  used: number;
  lines: number;
}

export function createBacklog({ maxBytes }: { readonly maxBytes: number }): Backlog {
  const blocks: Block[] = [];
  /** The block that was emptied last is used again: a daemon that logs little allocates nothing. */
  let spare: Block | undefined;

  function blockFor(bytes: number): Block {
    const last = blocks.at(-1);
    if (last && last.used + bytes <= BLOCK_BYTES) return last;
    const block = spare ?? { bytes: Buffer.allocUnsafeSlow(BLOCK_BYTES), used: 0, lines: 0 };
    spare = undefined;
    blocks.push(block);
    return block;
  }

  function take(): Batch | undefined {
    const block = blocks.shift();
    if (!block) return undefined;
    const batch = { bytes: new Uint8Array(block.bytes.subarray(0, block.used)), lines: block.lines };
    spare = Object.assign(block, { used: 0, lines: 0 });
    return batch;
  }

  return {
    add(line) {
      const text = line.endsWith('\n') ? line.slice(0, -1) : line;
      const bytes = Math.min(Buffer.byteLength(text), LONGEST_LINE_BYTES);
      const block = blockFor(bytes + 1);
      block.used += block.bytes.write(text, block.used, bytes);
      block.bytes[block.used++] = NEWLINE;
      block.lines += 1;
      return blocks.length * BLOCK_BYTES > maxBytes ? (take()?.lines ?? 0) : 0;
    },
    take,
    size: () => blocks.reduce((sum, { lines }) => sum + lines, 0),
  };
}
