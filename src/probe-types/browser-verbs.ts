/** What the steps of a `browser` probe can do. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { duration } from '../spec.ts';
import { failureOf } from './browser-failure.ts';
import type { Screenshot } from './browser-protocol.ts';
import { ProbeFailure } from './failure.ts';
import type { Memory } from './step-memory.ts';
import type { Verb } from './steps.ts';

/** The world of the verbs: one page, in a browser of its own. */
export interface Visit {
  readonly page: Page;
  /** How long a step may wait for what it needs, now: never beyond the deadline. */
  patience(): number;
  /** Until the deadline. */
  remaining(): number;
  /** Where something was typed: never shown in a screenshot. */
  readonly typed: Set<string>;
  readonly folder: string;
  readonly screenshots: Screenshot[];
  /** Of the page's own answer; undefined before there was one. */
  status: number | undefined;
}

const selector = () => z.string().min(1).max(1_000);
const SELECTOR = 'CSS, or text=…, role=button[name="Save"] and the like; it must fit exactly one element';

const gotoOption = z.string().min(1).describe('Address to open: a URL, or a path below the page that is shown');
const clickOption = selector().describe(`Selector of the element to click: ${SELECTOR}`);
const fillOption = z
  .strictObject({
    field: selector().describe(`Selector of the field: ${SELECTOR}`),
    text: z.string().max(10_000).describe('What is typed; {{NAME}} stands for one of `secrets`'),
  })
  .describe('Type into a field');
const expectOption = z
  .strictObject({
    text: z.string().min(1).optional().describe('A text that the page shows, whatever its case and blanks'),
    selector: selector().optional().describe('Selector of an element that is shown'),
    title: z.string().min(1).optional().describe('A part of the title'),
    url: z.string().min(1).optional().describe('A part of the address'),
  })
  .refine((option) => Object.values(option).some((one) => one !== undefined), {
    message: 'wants at least one of text, selector, title and url',
  })
  .describe('Wait until the page is like that; all of it must hold');
const waitOption = duration().describe('Do nothing for so long');
const screenshotOption = z
  .string()
  .regex(/^[a-z0-9-]{1,40}$/, 'may hold only small letters, digits and "-"')
  .describe('Keep a picture under this name, without what was typed');

const goto: Verb<Visit, typeof gotoOption> = {
  name: 'goto',
  option: gotoOption,
  run: (written, visit, memory) => open(visit, memory.fill(written, encodeURIComponent)),
};

/** Opens an address, and waits until the page has loaded. */
export async function open(visit: Visit, address: string): Promise<void> {
  const { page } = visit;
  const base = page.url().startsWith('http') ? page.url() : undefined;
  if (!URL.canParse(address, base)) throw new ProbeFailure('protocol', 'the address is not a URL');
  const url = new URL(address, base);
  if (!/^https?:$/.test(url.protocol)) throw new ProbeFailure('protocol', `the scheme ${url.protocol} is not opened`);
  try {
    const answer = await page.goto(url.href, { waitUntil: 'load', timeout: visit.remaining() });
    visit.status = answer?.status() ?? visit.status;
  } catch (error) {
    throw failureOf(error, 'loading the page', /Timeout/.test(String(error)) ? 'timeout' : 'protocol');
  }
}

/** A selector with its values, which stay within the quotes that they stand in. */
function filled(selector: string, memory: Memory): string {
  return memory.fill(selector, (value) => value.replaceAll(/["'\\]/g, (character) => `\\${character}`));
}

const click: Verb<Visit, typeof clickOption> = {
  name: 'click',
  option: clickOption,
  async run(written, { page, patience }, memory) {
    await wanted(`clicking ${written}`, page.locator(filled(written, memory)).click({ timeout: patience() }));
  },
};

const fill: Verb<Visit, typeof fillOption> = {
  name: 'fill',
  option: fillOption,
  async run({ field, text }, { page, patience, typed }, memory) {
    const place = filled(field, memory);
    typed.add(place);
    await wanted(`typing into ${field}`, page.locator(place).fill(memory.fill(text), { timeout: patience() }));
  },
};

const expect: Verb<Visit, typeof expectOption> = {
  name: 'expect',
  option: expectOption,
  async run(option, visit, memory) {
    const { page, patience } = visit;
    const shown = (what: string) => `the page does not show ${what}`;
    if (option.text !== undefined) {
      const text = page.getByText(memory.fill(option.text)).filter({ visible: true }).first();
      await wanted(shown(JSON.stringify(option.text)), text.waitFor({ timeout: patience() }), true);
    }
    if (option.selector !== undefined) {
      const element = page.locator(filled(option.selector, memory)).filter({ visible: true }).first();
      await wanted(shown(option.selector), element.waitFor({ timeout: patience() }), true);
    }
    if (option.title !== undefined) await titled(visit, option.title, memory);
    if (option.url !== undefined) {
      const part = memory.fill(option.url);
      const arrival = page.waitForURL((url) => url.href.includes(part), { timeout: patience(), waitUntil: 'commit' });
      await wanted(`the address does not hold ${JSON.stringify(option.url)}`, arrival, true);
    }
  },
};

const LOOK_AGAIN_MS = 50;

async function titled({ page, patience }: Visit, written: string, memory: Memory): Promise<void> {
  const part = memory.fill(written);
  const deadline = performance.now() + patience();
  for (let leftMs = patience(); leftMs > 0; leftMs = deadline - performance.now()) {
    // A page that is busy with itself does not answer.
    const title = await Promise.race([wanted('reading the title', page.title()), sleep(leftMs, '')]);
    if (title.includes(part)) return;
    await sleep(LOOK_AGAIN_MS);
  }
  throw new ProbeFailure('body', `the title does not hold ${JSON.stringify(written)}`);
}

/** @param isWhole `doing` is the whole complaint. */
async function wanted<T>(doing: string, work: Promise<T>, isWhole = false): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const failure = failureOf(error, doing, 'body');
    if (isWhole && failure.reason === 'body') throw new ProbeFailure('body', doing, { cause: error });
    throw failure;
  }
}

const wait: Verb<Visit, typeof waitOption> = {
  name: 'wait',
  option: waitOption,
  async run(durationMs, { remaining }) {
    if (durationMs > remaining()) throw new ProbeFailure('timeout', 'the deadline passed while waiting');
    await sleep(durationMs);
  },
};

const screenshot: Verb<Visit, typeof screenshotOption> = {
  name: 'screenshot',
  option: screenshotOption,
  run: (name, visit) => photograph(visit, name),
};

const PHOTOGRAPH_MS = 2_000;

/** Leaves a picture of what is in view. What was typed, and every password, is painted over. */
export async function photograph({ page, typed, folder, screenshots }: Visit, name: string): Promise<void> {
  const file = join(folder, `screenshot-${screenshots.length}.png`);
  const mask = ['input[type=password]', ...typed].map((one) => page.locator(one));
  await wanted(
    'taking a picture',
    page.screenshot({ path: file, mask, timeout: PHOTOGRAPH_MS, animations: 'disabled' }),
  );
  screenshots.push({ name, file });
}

export const browserVerbs: readonly Verb<Visit>[] = [goto, click, fill, expect, wait, screenshot];
