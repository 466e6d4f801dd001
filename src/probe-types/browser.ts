/** Probe type `browser`: a page as people see it, in Chromium or a Selenium Grid, and what they do there. One browser at a time. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RetryableError } from '../errors.ts';
import type { FieldDeclarations, Reason } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { childEnvironment } from '../shared/child-environment.ts';
import { type ChildResult, runChild } from '../shared/child-process.ts';
import { findExecutable } from '../shared/executable.ts';
import { blameGrid, type Grid, gridOf, visitOnGrid } from './browser-grid.ts';
import { ASKING, type BrowserPlace, type BrowserRequest, lastLine, STARTING } from './browser-protocol.ts';
import { keepScreenshots } from './browser-screenshots.ts';
import { type BrowserSpec, browserSpec } from './browser-spec.ts';
import { ownTrouble } from './failure.ts';
import { createAccessSource } from './http-access.ts';
import { printable } from './http-request.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver } from './resolve.ts';

const fields: FieldDeclarations = {
  status: { type: 'double', summary: 'Status code of the page that was opened last by its address' },
  title: { type: 'string', summary: 'Title of the page at the end' },
  text: { type: 'string', summary: 'What it shows, the first 64 KiB' },
  final_url: { type: 'string', summary: 'Its address, without userinfo and query' },
  console_errors: { type: 'double', summary: 'Errors in its console, and exceptions that nobody caught' },
  console: { type: 'list', summary: 'The first ten of them' },
  lcp_ms: {
    type: 'double',
    unit: 'ms',
    summary: 'Largest contentful paint of the page at the end; null when there was none',
  },
  screenshot: { type: 'string', summary: 'Where the last picture of this run is kept' },
};

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
/** Whoever waited longer for another browser, and was then too slow, says nothing about its page. Share of the timeout. */
const MOST_WAITED = 0.1;
/** Everything that was started is gone this long after the deadline. */
const GRACE_MS = 100;
/** The answer holds up to 64 KiB of text, escaped. */
const ANSWER_BYTES = 2 ** 20;

/** A gate of its own: two browsers at once would slow each other down, and everything else. */
export function createBrowserProbeType(): ProbeType<typeof browserSpec> {
  let last: Promise<unknown> = Promise.resolve();
  const accessOf = createAccessSource();
  const resolver = createResolver();
  /** Tells our sessions on a grid from those of everybody else, other daemons too. */
  const identity = randomUUID();
  const gridFor = oncePerSpec(({ grid, capabilities }: BrowserSpec): { readonly grid: Grid | undefined } => ({
    grid: grid === undefined ? undefined : gridOf(grid, capabilities, accessOf, resolver),
  }));

  /** Errors: RetryableError `out_of_resources`, of which people are told: the time was up before it was our turn. */
  async function inTurn<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = last;
    const mine = Promise.race([before, aborted(signal)]).then(() => {
      if (signal.aborted) throw heldUp();
      return work();
    });
    // The next one waits for both: who gave up waiting does not let it pass who still works.
    last = Promise.allSettled([before, mine]);
    return await mine;
  }

  return {
    name: 'browser',
    summary:
      'A page in Chromium or on a Selenium Grid, as people see it: that it loads, shows what it must, and does what is asked of it',
    spec: browserSpec,
    mainOption: 'url',
    example: `- name: shop-login
  every: 5m
  timeout: 30s
  browser:
    url: "http://127.0.0.1:8080/login"
    secrets: { password: "\${SHOP_PASSWORD}" }
    steps:
      - fill: { field: "#user", text: probe }
      - fill: { field: "#password", text: "{{password}}" }
      - click: "text=Sign in"
      - expect: { text: Welcome }
  warn:
    - console_errors == 0
    - lcp_ms == null || lcp_ms < 2500
`,
    fields,
    families: [],
    impliedExpect: { unlessNames: 'status', source: 'status == null || (status >= 200 && status < 300)' },
    target: ({ url }) => printable(new URL(url)),
    remote: ({ url }) => new URL(url).hostname,
    async run(spec, input, context) {
      const { clock, signal, timeoutMs } = context;
      const began = clock.monotonic();
      const { grid } = gridFor(spec);
      let waitedMs = 0;
      const output = await inTurn(signal, async () => {
        waitedMs = clock.monotonic() - began;
        const rest = { ...context, timeoutMs: timeoutMs - waitedMs };
        if (!grid) return await visitHere(spec, input, rest);
        const name = `brainstem-${identity}-${input.probe.replaceAll(/[^\w.-]/g, '-')}`;
        return await visitOnGrid(grid, name, rest, (browser, within) => visit(browser, spec, input, within));
      });
      // The page had less time than its definition gives it.
      if (output.reason === 'timeout' && waitedMs > timeoutMs * MOST_WAITED) throw heldUp();
      return output;
    },
  };
}

function heldUp(): RetryableError {
  return new RetryableError('out_of_resources', 'one browser works at a time, and another one did until the deadline');
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function visitHere(spec: BrowserSpec, input: ProbeInput, context: Context): Promise<ProbeOutput> {
  const browser = await chosen(spec, context);
  if (typeof browser === 'string') return { reason: 'internal', fields: {}, error: browser };
  return await visit(browser, spec, input, context);
}

async function visit(
  browser: BrowserPlace,
  spec: BrowserSpec,
  input: ProbeInput,
  context: Context,
): Promise<ProbeOutput> {
  const startedAt = context.clock.monotonic();
  // Of the run alone: profile, caches and pictures go with it, also when it is killed.
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-browser-')).catch((error: unknown) => {
    throw ownTrouble(error) ?? error;
  });
  try {
    const request = requestOf(spec, browser, folder, context.timeoutMs);
    const blame = spec.grid === undefined ? blameUs : blameGrid;
    const output = await observe(await drive(request, folder, context), blame, input, context);
    return { ...output, latencyMs: context.clock.monotonic() - startedAt };
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** A text: why there is none. */
async function chosen(spec: BrowserSpec, { environment = {} }: Context): Promise<BrowserPlace | string> {
  if (spec.cdp !== undefined) return { cdp: spec.cdp };
  const path = childEnvironment(environment, {})['PATH'] ?? '';
  for (const name of spec.executable === undefined ? PROGRAMS : [spec.executable]) {
    const program = await findExecutable(name, '/', path);
    if (!program.found) continue;
    if (spec.sandbox && process.getuid?.() === 0) {
      return 'as root the browser does not start in its sandbox: run Brainstem as a user of its own, or set sandbox: false';
    }
    return { executable: program.path, sandbox: spec.sandbox };
  }
  return `no browser is installed: ${spec.executable ?? PROGRAMS.join(', ')} is not on PATH (${path})`;
}

function requestOf(spec: BrowserSpec, browser: BrowserPlace, folder: string, timeoutMs: number): BrowserRequest {
  const { url, steps, secrets, patience, insecure_skip_verify: insecure } = spec;
  const { screenshot_on_failure: screenshotOnFailure } = spec;
  return { url, steps, secrets, browser, insecure, screenshotOnFailure, patienceMs: patience, timeoutMs, folder };
}

async function drive(request: BrowserRequest, folder: string, { signal, environment }: Context): Promise<ChildResult> {
  return await runChild({
    argv: [process.execPath, createRequire(import.meta.url).resolve('#browser-worker')],
    cwd: folder,
    env: childEnvironment(environment ?? {}, { HOME: folder, TMPDIR: folder }),
    stdin: JSON.stringify(request),
    ...{ signal, graceMs: GRACE_MS, headBytes: ANSWER_BYTES },
  });
}

type Blame = (reason: Reason, error: string) => ProbeOutput;

const blameUs: Blame = (_reason, error) => ({ reason: 'internal', fields: {}, error });

/** @param blame says who is to blame when there is no browser. */
async function observe(result: ChildResult, blame: Blame, input: ProbeInput, context: Context): Promise<ProbeOutput> {
  if (result.kind === 'not_started') return blameUs('internal', result.error);
  const said = result.stdout.text;
  const away = lastLine(said, 'away');
  if (away) return (away.reason === 'internal' ? blameUs : blame)(away.reason, away.error);
  const answer = lastLine(said, 'result');
  if (!answer) return noAnswer(result, lastLine(said, 'at')?.what ?? STARTING, blame);
  const { reason, error, fields: seen, screenshots } = answer;
  const { data } = input;
  const kept =
    data && (await keepScreenshots(join(data, 'screenshots'), input.probe, screenshots, context.clock.now()));
  return { reason, fields: { ...seen, ...(kept && { screenshot: kept }) }, ...(error !== undefined && { error }) };
}

type Ended = Exclude<ChildResult, { kind: 'not_started' }>;

function noAnswer({ kind, stderr }: Ended, what: string, blame: Blame): ProbeOutput {
  if (kind === 'exited') {
    const complaint = stderr.text.trim().split('\n').at(-1) ?? '';
    return blameUs('internal', `the browser's driver ended (${what}): ${complaint}`.slice(0, 500));
  }
  const error = `the deadline passed: ${what}`;
  return what === STARTING || what === ASKING ? blame('timeout', error) : { reason: 'timeout', fields: {}, error };
}
