/**
 * What a container printed, as the engine frames it: 8 bytes of header (stream, 0, 0, 0, length) before each piece.
 * A container with a terminal has no frames. https://docs.docker.com/reference/api/engine/version/v1.41/#operation/ContainerAttach
 */
import { AppError } from '../errors.ts';
import { createCapture } from './captured-output.ts';

const HEADER_BYTES = 8;
const MAX_LINE_CHARS = 1024 * 1024;

/** Standard output and error, interleaved as they came; head and tail of 64 KiB each. Ends with the stream. */
export async function readOutput(stream: AsyncIterable<Buffer | string>, framed: boolean): Promise<string> {
  const capture = createCapture();
  const take = framed ? createUnframer(capture.add) : capture.add;
  for await (const chunk of stream) take(Buffer.from(chunk));
  return capture.result().text;
}

/** Passes payloads on as they arrive; holds back no more than an incomplete header. */
function createUnframer(pass: (payload: Buffer) => void): (chunk: Buffer) => void {
  let header = Buffer.alloc(0);
  let missing = 0;
  return (chunk) => {
    let rest = chunk;
    while (rest.length > 0) {
      if (missing === 0) {
        const taken = HEADER_BYTES - header.length;
        header = Buffer.concat([header, rest.subarray(0, taken)]);
        rest = rest.subarray(taken);
        if (header.length < HEADER_BYTES) return;
        missing = header.readUInt32BE(4);
        header = Buffer.alloc(0);
      }
      const payload = rest.subarray(0, missing);
      missing -= payload.length;
      rest = rest.subarray(payload.length);
      if (payload.length > 0) pass(payload);
    }
  };
}

/** The lines of a stream of JSON objects; a line longer than 1 MiB ends it. */
export async function* readJsonLines(stream: AsyncIterable<Buffer | string>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of stream) {
    text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    if (text.length > MAX_LINE_CHARS) throw new AppError('docker_answer', 'a line longer than 1 MiB');
    for (const line of lines) {
      if (line.trim() !== '') yield parseLine(line);
    }
  }
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new AppError('docker_answer', 'a line that is not JSON', { cause: error });
  }
}
