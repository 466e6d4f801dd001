/** What a mail looks like in a real browser: on a phone and on a desk, by day and by night, and to hostile texts. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Alert } from '../../src/model.ts';
import { htmlOf } from '../../src/notifiers/email-html.ts';
import { startChromium } from '../estate/chromium.ts';
import { alertOf, digestOf, incidentOf } from './alerts.ts';
import { lateSample, samples } from './email-samples.ts';

const LONG = 'https://example.com/'.padEnd(3_000, 'x');
const HOSTILE =
  '"><img src="http://127.0.0.1:9/x.png"><script>document.title = "run"</script><style>*{color:red}</style>';

const CASES: readonly (readonly [string, Alert])[] = [
  ...samples().map((alert) => [alert.kind, alert] as const),
  ['late', lateSample()],
  ['digest of 300', digestOf(300)],
  ['long', wordy(LONG)],
  ['hostile', wordy(HOSTILE)],
];

function wordy(text: string): Alert {
  return alertOf({ title: text, text, facts: [{ label: text, value: text }], incident: incidentOf({ title: text }) });
}

let browser: Browser;
beforeAll(async () => {
  browser = await startChromium();
});
afterAll(() => browser.close());

/** Shows a mail; whatever it asks of the network fails the test. */
async function look<T>(alert: Alert, at: (page: Page) => Promise<T>): Promise<T> {
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  try {
    await page.setContent(htmlOf(alert));
    const seen = await at(page);
    expect(asked).toEqual([]);
    return seen;
  } finally {
    await page.close();
  }
}

/** Of the page, in its own words: these run in the browser. */
const WIDTHS = '[document.documentElement.scrollWidth, window.innerWidth]';
/** Contrast of every text with what lies behind it (WCAG 2.2, 1.4.3), the least first. */
const LEAST_CONTRAST = `(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => rgb(text).slice(0, 3)
    .map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const { backgroundColor } = getComputedStyle(each);
      if (rgb(backgroundColor)[3] !== 0) return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  const ratios = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (node.data.trim() === '' || element.getClientRects().length === 0) continue;
    const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    ratios.push((pair[0] + 0.05) / (pair[1] + 0.05));
  }
  return Math.min(...ratios);
})()`;

it.each(CASES)('a mail can be read by day and by night, and fits a phone and a desk: %s', async (_name, alert) => {
  await look(alert, async (page) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [320, 390, 800]) {
        await page.setViewportSize({ width, height: 800 });
        const [content = 0, window = 0] = await page.evaluate<number[]>(WIDTHS);
        expect(content, `width of ${width}`).toBeLessThanOrEqual(window);
        expect(await page.evaluate<number>(LEAST_CONTRAST), colorScheme).toBeGreaterThan(4.5);
      }
    }
  });
});

it('is dark at night', async () => {
  const colours = await look(lateSample(), async (page) => {
    const colour = () => page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    await page.emulateMedia({ colorScheme: 'dark' });
    const night = await colour();
    await page.emulateMedia({ colorScheme: 'light' });
    return { night, day: await colour() };
  });
  expect(colours).toEqual({ night: 'rgb(12, 17, 29)', day: 'rgb(242, 244, 247)' });
});

it('runs nothing and shows hostile text as text', async () => {
  const { title, text } = await look(wordy(HOSTILE), async (page) => ({
    title: await page.title(),
    text: await page.textContent('h1'),
  }));
  expect(title).not.toBe('run');
  expect(text).toBe(HOSTILE);
});
