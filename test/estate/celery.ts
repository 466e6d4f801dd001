/** A real Celery application on loopback: workers of Debian's Celery, and tasks sent by its own client. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ServerProcess, serverProcess } from './server-process.ts';

const runFile = promisify(execFile);
/** What stands first on the PATH may be another one, without Celery. */
const PYTHON = '/usr/bin/python3';

export const CELERY_APPLICATION = `
import json, os, time
from celery import Celery
from celery.signals import before_task_publish
app = Celery('app', broker=os.environ['BROKER'])
app.conf.broker_transport_options = json.loads(os.environ['TRANSPORT'])
app.conf.worker_hijack_root_logger = False

@app.task
def nap(seconds):
    time.sleep(seconds)

def send(count=1, seconds=0, agoSeconds=None, **options):
    global ago
    ago = agoSeconds
    for _ in range(count):
        nap.apply_async((seconds,), **options)

ago = None

@before_task_publish.connect
def note(headers=None, **rest):
    if ago is not None:
        headers['enqueued_at'] = time.time() - ago
`;

export interface Sent {
  readonly count?: number;
  readonly queue?: string;
  readonly priority?: number;
  /** Seconds that the task takes. */
  readonly seconds?: number;
  /** Notes in a header that it was sent so many seconds ago. */
  readonly agoSeconds?: number;
}

export interface CeleryApplication {
  /** Starts a worker of one process, and waits until it is ready. */
  worker(name: string, queues?: string): Promise<ServerProcess>;
  send(...sent: readonly Sent[]): Promise<void>;
  stop(): Promise<void>;
}

/** @param broker URL of a Redis database. @param transport further broker_transport_options. */
export async function createCelery(
  broker: string,
  transport: Record<string, unknown> = {},
): Promise<CeleryApplication> {
  const folder = await mkdtemp(join(tmpdir(), 'celery-'));
  await writeFile(join(folder, 'app.py'), CELERY_APPLICATION);
  const environment = { BROKER: broker, TRANSPORT: JSON.stringify(transport), C_FORCE_ROOT: '1', PYTHONPATH: folder };
  const workers: ServerProcess[] = [];
  return {
    async worker(name, queues = 'celery') {
      const options = ['-c', '1', '-P', 'solo', '--without-gossip', '--without-mingle', '-Q', queues, '-l', 'info'];
      const worker: ServerProcess = serverProcess({
        command: PYTHON,
        arguments: ['-m', 'celery', '-A', 'app', 'worker', '-n', name, ...options],
        environment,
        ready: async () => / ready\.\s/.test(worker.complaints()),
      });
      workers.push(worker);
      await worker.start();
      return worker;
    },
    async send(...sent) {
      const program = 'import app, json, sys\nfor one in json.loads(sys.argv[1]): app.send(**one)';
      await runFile(PYTHON, ['-c', program, JSON.stringify(sent)], { env: { ...process.env, ...environment } });
    },
    async stop() {
      await Promise.all(workers.map((worker) => worker.end('SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
