/**
 * The process that drives a browser for one run: a request on standard input, lines of JSON on standard output. Whatever a page
 * or the driver does to it, the daemon ends it and all that it started.
 */
import { text } from 'node:stream/consumers';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { codeOf, messageOf } from '../errors.ts';
import type { Fields } from '../model.ts';
import { decodePercents } from '../shared/server-url.ts';
import { systemClock } from '../shared/system-clock.ts';
import { failureOf } from './browser-failure.ts';
import { ASKING, type BrowserLine, type BrowserPlace, type BrowserRequest, STARTING } from './browser-protocol.ts';
import { browserVerbs, open, photograph, type Visit } from './browser-verbs.ts';
import { ProbeFailure } from './failure.ts';
import { createMemory, type Memory } from './step-memory.ts';
import { runSteps } from './steps.ts';

/** Left of the time for a picture and the answer, when the steps took all of theirs. */
const LAST_WORDS_MS = 1_500;
/** What the page may take to tell about itself. */
const LOOK_MS = 1_000;
/** What the browser may take to say that it is there: no page keeps it from that. */
const ALIVE_MS = 1_000;
const CLOSE_MS = 1_000;

const MAX_TEXT = 64 * 2 ** 10;
const MAX_TITLE = 1_000;
const MAX_CONSOLE = 10;
const MAX_CONSOLE_TEXT = 300;

/** Nothing that it would ask of the network by itself. */
const QUIET = ['--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'];

interface Console {
  count: number;
  readonly texts: string[];
}

function say(line: BrowserLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function main(): Promise<void> {
  const request = JSON.parse(await text(process.stdin)) as BrowserRequest;
  // By the clock of this process, which began when it was started.
  const deadline = request.timeoutMs - Math.min(LAST_WORDS_MS, request.timeoutMs / 3);
  const remaining = () => Math.max(1, Math.round(deadline - performance.now()));
  say({ kind: 'at', what: STARTING });
  let browser: Browser | undefined;
  try {
    browser = await start(request, remaining());
    const context = await browser.newContext(contextOptions(request));
    say(await visit(context, request, remaining));
  } catch (error) {
    say(notStarted(error, request.browser));
  }
  await Promise.race([browser?.close().catch(() => undefined), later(CLOSE_MS)]);
}

/** Errors: when playwright-core is not installed, or the browser does not start. */
async function start({ browser, timeoutMs }: BrowserRequest, patienceMs: number): Promise<Browser> {
  const { chromium } = await import('playwright-core');
  if ('cdp' in browser) {
    const { cdp, headers = {} } = browser;
    return await chromium.connectOverCDP(cdp, { headers, timeout: Math.min(patienceMs, timeoutMs) });
  }
  return await chromium.launch({
    executablePath: browser.executable,
    chromiumSandbox: browser.sandbox,
    args: [...QUIET],
    ...{ handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false, timeout: patienceMs },
  });
}

function notStarted(error: unknown, browser: BrowserPlace): BrowserLine {
  if (codeOf(error) === 'ERR_MODULE_NOT_FOUND') {
    return { kind: 'away', reason: 'internal', error: 'playwright-core is not installed: npm install playwright-core' };
  }
  const lines = messageOf(error).split('\n');
  const telling = lines.find((line) => /no-sandbox|FATAL|ERROR|error while loading/i.test(line)) ?? lines[0] ?? '';
  const what = 'cdp' in browser ? 'DevTools are not to be reached' : 'the browser does not start';
  const reason = /Timeout \d+ms exceeded/.test(telling) ? 'timeout' : 'unhealthy';
  return { kind: 'away', reason, error: `${what}: ${telling.trim().slice(0, 300)}` };
}

/** A user and password in the address go to its origin alone, and into no address that is shown. */
function contextOptions({ url, insecure }: BrowserRequest) {
  const { username, password, origin } = new URL(url);
  const decoded = { username: decodePercents(username), password: decodePercents(password), origin };
  return {
    ...{ ignoreHTTPSErrors: insecure, acceptDownloads: false, viewport: { width: 1_280, height: 800 } },
    ...(username !== '' && { httpCredentials: decoded }),
  };
}

async function visit(context: BrowserContext, request: BrowserRequest, remaining: () => number): Promise<BrowserLine> {
  const page = await context.newPage();
  const console = listen(page);
  const memory = createMemory(request.secrets);
  const world: Visit = {
    ...{ page, remaining, typed: new Set<string>(), folder: request.folder, screenshots: [], status: undefined },
    patience: () => Math.min(request.patienceMs, remaining()),
  };
  const failure = await walk(world, request, memory);
  const away = failure && (await browserAway(context.browser(), memory.hide(failure.message)));
  if (away) return away;
  if (failure && request.screenshotOnFailure) await photograph(world, 'failed').catch(() => undefined);
  const seen = await look(world, console, memory);
  const result = { kind: 'result' as const, fields: seen, screenshots: world.screenshots };
  return failure
    ? { ...result, reason: failure.reason, error: memory.hide(failure.message) }
    : { ...result, reason: 'ok' };
}

/** Whether what failed says nothing about the page, because its browser is gone or stands still. undefined: it is there. */
async function browserAway(browser: Browser | null, during: string): Promise<BrowserLine | undefined> {
  const asked = async () => {
    const session = await browser?.newBrowserCDPSession();
    await session?.send('Browser.getVersion');
    return 'there' as const;
  };
  say({ kind: 'at', what: ASKING });
  const answer = await Promise.race([asked().catch(() => 'ended' as const), later(ALIVE_MS)]);
  say({ kind: 'at', what: during });
  if (answer === 'there') return undefined;
  return answer === 'ended'
    ? { kind: 'away', reason: 'unhealthy', error: `the browser ended: ${during}` }
    : { kind: 'away', reason: 'timeout', error: `the browser answers no more: ${during}` };
}

/** undefined: all went well. */
async function walk(world: Visit, request: BrowserRequest, memory: Memory): Promise<ProbeFailure | undefined> {
  try {
    say({ kind: 'at', what: 'loading the page' });
    await open(world, withoutUserinfo(request.url));
    await runSteps(request.steps, browserVerbs, world, {
      clock: systemClock,
      memory,
      onEnd: ({ number, name }) => say({ kind: 'at', what: `after step ${number} (${name})` }),
    });
    return undefined;
  } catch (error) {
    return error instanceof ProbeFailure ? error : failureOf(error, 'the browser', 'protocol');
  }
}

function withoutUserinfo(address: string): string {
  const url = new URL(address);
  url.username = '';
  url.password = '';
  return url.href;
}

function listen(page: Page): Console {
  const heard: Console = { count: 0, texts: [] };
  const add = (message: string) => {
    heard.count += 1;
    if (heard.texts.length < MAX_CONSOLE) heard.texts.push(message.slice(0, MAX_CONSOLE_TEXT));
  };
  page.on('console', (message) => {
    if (message.type() === 'error') add(message.text());
  });
  page.on('pageerror', (error) => add(messageOf(error)));
  return heard;
}

/** The largest paint so far: https://www.w3.org/TR/largest-contentful-paint/ */
const LARGEST_PAINT = `new Promise((resolve) => {
  let last = null;
  new PerformanceObserver((list) => { last = list.getEntries().at(-1).startTime; }).observe({ type: 'largest-contentful-paint', buffered: true });
  setTimeout(() => resolve(last), 50);
})`;
const TEXT = `(document.body?.innerText ?? '').slice(0, ${MAX_TEXT})`;

/** A page that is busy with itself tells nothing, and holds nobody up. */
async function look({ page, status }: Visit, console: Console, memory: Memory): Promise<Fields> {
  const ask = <T>(answer: Promise<T>) => Promise.race([answer.catch(() => undefined), later(LOOK_MS)]);
  const [title, shown, largest] = await Promise.all([
    ask(page.title()),
    ask(page.evaluate<unknown>(TEXT)),
    ask(page.evaluate<unknown>(LARGEST_PAINT)),
  ]);
  // What a page says of itself may be of any kind and size.
  return {
    ...{ status, title: textOf(title, MAX_TITLE), text: textOf(shown, MAX_TEXT), final_url: printable(page.url()) },
    ...{
      console_errors: console.count,
      console: console.texts.map(memory.hide),
      lcp_ms: Number.isFinite(largest) ? largest : undefined,
    },
  };
}

function textOf(told: unknown, most: number): string | undefined {
  return typeof told === 'string' ? told.slice(0, most) : undefined;
}

/** Without query and fragment; what is no web page yet has no address. */
function printable(address: string): string | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.protocol.startsWith('http') ? `${url.origin}${url.pathname}`.slice(0, 500) : undefined;
}

function later(durationMs: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), durationMs).unref());
}

await main();
process.exit(0);
