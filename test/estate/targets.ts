/**
 * Many targets behind one real HTTP server: each path is a target of its own that can be broken and mended, and each fix
 * is a process that reports to it. What arrived, and when, is the oracle.
 */
import { createServer, type ServerResponse } from 'node:http';
import { close, listen } from './faults.ts';

/** `slow` answers after `SLOW_MS`; `hang` accepts the request and never answers. */
export type TargetMode = 'ok' | 'slow' | 'degraded' | 'broken' | 'hang';

export interface FixRun {
  readonly at: number;
  readonly fix: string;
  readonly target: string;
}

export interface Targets {
  /** Address of a target; one that was never set is `ok`. */
  url(target: string): string;
  set(target: string, mode: TargetMode): void;
  /** Argument vector of a fix, as YAML: it is put on record, and then mends the target or leaves it as it is. */
  fix(fix: string, target: string, effect: 'mends' | 'nothing'): string;
  /** Fixes that ran, oldest first. */
  fixes(): readonly FixRun[];
  /** Names of the fixes that ran, oldest first. */
  fixNames(): readonly string[];
  /** When each request for a target arrived. */
  requests(target: string): readonly number[];
  /** Requests that wait for their answer, now and at most so far. */
  waiting(): { readonly now: number; readonly most: number };
  close(): Promise<void>;
}

/** Runs as a fix: one request, and an exit code that says whether it was heard. */
const FIX = 'fetch(process.argv[1], { method: "POST" }).then(({ ok }) => process.exit(ok ? 0 : 1))';
const STATUS = { ok: 200, slow: 200, degraded: 200, broken: 503 } as const;
const SLOW_MS = 150;

export async function startTargets(): Promise<Targets> {
  const modes = new Map<string, TargetMode>();
  const fixes: FixRun[] = [];
  const requests = new Map<string, number[]>();
  let waiting = 0;
  let most = 0;
  const server = createServer((request, response) => {
    waiting += 1;
    most = Math.max(most, waiting);
    response.once('close', () => {
      waiting -= 1;
    });
    const [, kind, target = '', fix = '', effect] = new URL(request.url ?? '', 'http://127.0.0.1').pathname.split('/');
    if (kind === 'fix') {
      fixes.push({ at: Date.now(), fix, target });
      if (effect === 'mends') modes.set(target, 'ok');
      response.end();
      return;
    }
    const seen = requests.get(target);
    if (seen) seen.push(Date.now());
    else requests.set(target, [Date.now()]);
    answer(response, modes.get(target) ?? 'ok');
  });
  const port = await listen(server);
  const base = `http://127.0.0.1:${port}`;
  return {
    url: (target) => `${base}/target/${target}`,
    set: (target, mode) => void modes.set(target, mode),
    fix: (fix, target, effect) =>
      JSON.stringify([process.execPath, '-e', FIX, `${base}/fix/${target}/${fix}/${effect}`]),
    fixes: () => [...fixes],
    fixNames: () => fixes.map(({ fix }) => fix),
    requests: (target) => requests.get(target) ?? [],
    waiting: () => ({ now: waiting, most }),
    close: () => close(server),
  };
}

function answer(response: ServerResponse, mode: TargetMode): void {
  if (mode === 'hang') return;
  if (mode === 'slow') {
    setTimeout(() => answer(response, 'ok'), SLOW_MS);
    return;
  }
  response.writeHead(STATUS[mode], { 'content-type': 'application/json' });
  response.end(JSON.stringify({ status: mode }));
}
