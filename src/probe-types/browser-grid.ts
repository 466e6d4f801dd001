/** A browser of a Selenium Grid for one run: opened over WebDriver, driven over DevTools, and quit however the run ends. */
import { RetryableError } from '../errors.ts';
import type { Context, ProbeOutput } from '../ports.ts';
import type { BrowserPlace } from './browser-protocol.ts';
import type { BrowserSpec } from './browser-spec.ts';
import { ProbeFailure } from './failure.ts';
import type { Access } from './http-exchange.ts';
import { userinfoAuthorization } from './http-request.ts';
import { Lifeline } from './lifeline.ts';
import type { NameResolver } from './resolve.ts';
import { type Api, createApi, demandJson, type RequestOptions } from './selenium-api.ts';
import { openSession, quitLeftovers, quitSession } from './selenium-session.ts';
import { readStatus, whyNoSlot } from './selenium-status.ts';

/** The part of the time that the grid has for opening a browser: what remains is the page's, however long we waited. */
const OPENING_SHARE = 1 / 2;
const TOO_SLOW = 'no browser was opened in half of the time';
/** Left of the time for quitting, when the visit took all of its own: a second is usual. */
const QUITTING_MS = 3_000;
const QUITTING_SHARE = 1 / 5;
const LEAVING_MS = 10_000;
/** What quitting may take beyond the deadline, and when the daemon stops in the middle of the time. */
const BEYOND_MS = 700;
const STOPPING_MS = 1_500;

export interface Grid {
  readonly options: RequestOptions;
  readonly access: Access;
  readonly resolver: NameResolver;
  readonly capabilities: Readonly<Record<string, unknown>> & { readonly browserName: string };
}

export function gridOf(
  url: string,
  capabilities: BrowserSpec['capabilities'],
  accessOf: (spec: RequestOptions) => Access,
  resolver: NameResolver,
): Grid {
  const options = {
    url,
    headers: {},
    tls: undefined,
    proxy: undefined,
    ip_protocol: 'any',
    resolver: undefined,
  } as const;
  const { browserName = 'chrome', ...others } = capabilities ?? {};
  return {
    options,
    access: accessOf(options),
    resolver,
    capabilities: { ...others, browserName: String(browserName) },
  };
}

/** What the grid, and no page, is to blame for: whether the page is well is *unknown*. */
export function blameGrid(reason: ProbeOutput['reason'], error: string): ProbeOutput {
  return { reason, unknown: 'witness_away', fields: {}, error: `the Selenium Grid: ${error}` };
}

/**
 * Visits with a browser of the grid. When this returns the session is quit, or that was tried for as long as there was time.
 * @param name by which our sessions are known there: what earlier runs of that name left behind is quit first.
 * @param visit is given what remains of the time.
 */
export async function visitOnGrid(
  grid: Grid,
  name: string,
  context: Context,
  visit: (browser: BrowserPlace, context: Context) => Promise<ProbeOutput>,
): Promise<ProbeOutput> {
  const { clock, timeoutMs } = context;
  const deadline = clock.monotonic() + timeoutMs;
  let session: Awaited<ReturnType<typeof openSession>>;
  try {
    session = await open(grid, name, context, deadline);
  } catch (error) {
    if (!(error instanceof ProbeFailure)) throw error;
    return blameGrid(error.reason, error.message);
  }
  const id = session.sessionId;
  const visitMs = deadline - clock.monotonic() - Math.min(QUITTING_MS, timeoutMs * QUITTING_SHARE);
  const part = within(context.signal, visitMs);
  try {
    if (session.capabilities?.['se:cdp'] === undefined) {
      return blameGrid('protocol', `its ${grid.capabilities.browserName} offers no DevTools (no se:cdp)`);
    }
    return await visit(devToolsOf(grid, id), { ...context, signal: part.signal, timeoutMs: visitMs });
  } finally {
    part.release();
    await leave(grid, context, deadline, (api) => quitSession(api, id));
  }
}

/** Errors: ProbeFailure for what the grid does, also when it lets us wait too long. */
async function open(grid: Grid, name: string, context: Context, deadline: number) {
  const part = within(context.signal, context.timeoutMs * OPENING_SHARE);
  try {
    return await converse(grid, part.signal, context, async (api) => {
      await quitLeftovers(api, name);
      return await openSession(api, name, grid.capabilities);
    });
  } catch (error) {
    if (!(error instanceof ProbeFailure && error.reason === 'timeout')) throw error;
    // Else it was the grid that waited no longer.
    let why = part.signal.aborted ? new ProbeFailure('timeout', TOO_SLOW, { cause: error }) : error;
    await leave(grid, context, deadline, async (api) => {
      // It may have opened all the same, a moment too late.
      await quitLeftovers(api, name);
      const status = readStatus(demandJson(await api('GET', '/status')));
      why = whyNoSlot(status, grid.capabilities.browserName) ?? why;
    });
    throw why;
  } finally {
    part.release();
  }
}

/** Last words to the grid: they may take a moment longer than the run. That they failed is logged. */
async function leave(
  grid: Grid,
  context: Context,
  deadline: number,
  say: (api: Api) => Promise<unknown>,
): Promise<void> {
  const { clock, log, signal } = context;
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), LEAVING_MS);
  const hurry = () => {
    const ms = Math.min(STOPPING_MS, Math.max(0, deadline - clock.monotonic()) + BEYOND_MS);
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), ms);
  };
  if (signal.aborted) hurry();
  else signal.addEventListener('abort', hurry, { once: true });
  try {
    await converse(grid, controller.signal, context, say);
  } catch (error) {
    if (!(error instanceof ProbeFailure || error instanceof RetryableError)) throw error;
    log.warn('browser_grid_not_tidied', { grid: new URL(grid.options.url).host, error });
  } finally {
    signal.removeEventListener('abort', hurry);
    clearTimeout(timer);
  }
}

async function converse<T>(
  { options, access, resolver }: Grid,
  signal: AbortSignal,
  { clock, timeoutMs }: Context,
  say: (api: Api) => Promise<T>,
): Promise<T> {
  const line = new Lifeline({ signal, timeoutMs, clock });
  const seen = { ip: undefined, peer: undefined };
  try {
    return await say(createApi(options, access, { line, resolver, now: clock.now(), seen }));
  } finally {
    line.close();
  }
}

/**
 * At the grid's address, as it was written: the router passes it on to the node. What `se:cdp` says is the node's own address,
 * which is often known inside of the grid alone.
 */
function devToolsOf({ options }: Grid, id: string): BrowserPlace {
  const url = new URL(options.url);
  const authorization = userinfoAuthorization(url);
  const scheme = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return {
    cdp: `${scheme}//${url.host}${url.pathname.replace(/\/+$/, '')}/session/${id}/se/cdp`,
    headers: authorization === undefined ? {} : { authorization },
  };
}

/** Aborts with a signal, or after so long. */
function within(signal: AbortSignal, ms: number): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort(signal.reason);
  const timer = setTimeout(abort, ms);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    },
  };
}
