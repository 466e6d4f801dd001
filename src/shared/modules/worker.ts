/**
 * The thread in which modules of a home are evaluated. Whatever they do, hang, leak, throw or exit, it happens here: the
 * daemon is told, or ends the thread.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { evaluate, SyntaxFault } from './evaluate.ts';
import { NotPlain, plainCopy } from './plain-data.ts';
import type { FromThread, ReadAnswer, ReadRequest, ThreadData } from './protocol.ts';
import { serveRuns } from './run-probe.ts';
import { placeIn } from './source-places.ts';
import { createVoice } from './voice.ts';

const DEFINITION = { values: 10_000, depth: 32, textChars: 64 * 1024 };

const { home, run } = workerData as ThreadData;

/** Plain data by the types of the protocol. */
function send(message: ReadAnswer | FromThread): void {
  parentPort?.postMessage(message);
}

async function read({ file }: ReadRequest): Promise<ReadAnswer> {
  const code = new Map<string, string>();
  const location = { file, line: 1, column: 1 };
  try {
    const { defaultExport, realFile, imports } = await evaluate(home, file, code);
    const read = { kind: 'read', code, realFile, imports } as const;
    return defaultExport === undefined ? read : { ...read, definition: definitionOf(defaultExport) };
  } catch (error) {
    if (error instanceof SyntaxFault) {
      return { kind: 'faulty', fault: { location: error.location, message: error.message } };
    }
    if (error instanceof NotPlain) return { kind: 'faulty', fault: { location, message: error.message } };
    return { kind: 'faulty', fault: placeIn(home, code, location)(error) };
  }
}

function definitionOf(exported: unknown): Readonly<Record<string, unknown>> {
  const advice = 'write export default defineProbe({ …, async run(context) { … } })';
  if (typeof exported !== 'object' || exported === null) throw new NotPlain(`exports no definition; ${advice}`);
  const { run, ...rest } = exported as Readonly<Record<string, unknown>>;
  if (typeof run !== 'function') throw new NotPlain(`the definition has no function "run"; ${advice}`);
  return plainCopy(rest, 'the definition', DEFINITION) as Readonly<Record<string, unknown>>;
}

const voice = createVoice(send);
voice.takePrints(run !== undefined);
if (run) serveRuns(home, run, voice);
else parentPort?.on('message', (request: ReadRequest) => void read(request).then(send));
