/**
 * `npm run screenshots`: how every kind of e-mail looks, in `docs/images/`.
 *
 * Each message goes through the real notifier and a real SMTP server; what that one received is laid out by Chromium, light
 * and dark, on a desk and on a phone, and put together into a few contact sheets.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import type { Alert } from '../src/model.ts';
import { email } from '../src/notifiers/email.ts';
import { startChromium } from '../test/estate/chromium.ts';
import { startMailServer } from '../test/estate/mail-server.ts';
import { contextOf } from '../test/notifiers/alerts.ts';
import { lateSample, sampleOf, samples } from '../test/notifiers/email-samples.ts';

const FOLDER = join(import.meta.dirname, '../docs/images');
interface Shot {
  readonly html: string;
  readonly width: number;
  readonly dark: boolean;
}

interface Sheet {
  readonly name: string;
  readonly columns: number;
  readonly shots: readonly Shot[];
}

async function receive(alerts: readonly Alert[]): Promise<readonly string[]> {
  const server = await startMailServer();
  const address = { from: 'Brainstem <brainstem@example.com>', to: ['oncall@example.com'] };
  const spec = email.spec.parse({ smtp: `smtp://127.0.0.1:${server.port}`, ...address });
  try {
    for (const alert of alerts) {
      const output = await email.run(spec, { alert }, contextOf());
      if (!output.delivered) throw new Error(`${alert.kind} was not delivered: ${output.error}`);
    }
    return server.mails().map(({ parsed }) => parsed.html || '');
  } finally {
    await server.close();
  }
}

/** Everything is laid out by one page at a time: emulation of colours belongs to a page. */
async function shoot(browser: Browser, { html, width, dark }: Shot): Promise<string> {
  const page = await browser.newPage({
    viewport: { width, height: 400 },
    colorScheme: dark ? 'dark' : 'light',
    deviceScaleFactor: 1,
    javaScriptEnabled: false,
  });
  await page.setContent(html);
  const image = await page.screenshot({ fullPage: true });
  await page.close();
  return `data:image/png;base64,${image.toString('base64')}`;
}

async function sheet(browser: Browser, { name, columns, shots }: Sheet): Promise<void> {
  const images: string[] = [];
  for (const shot of shots) images.push(await shoot(browser, shot));
  const [{ width }] = shots as readonly [Shot];
  const page = await browser.newPage({ viewport: { width: columns * (width + 16) + 16, height: 400 } });
  const grid = `display:grid;gap:16px;grid-template-columns:repeat(${columns},${width}px);align-items:start`;
  const cells = images.map((image) => `<img src="${image}" alt="">`);
  await page.setContent(`<body style="margin:0;padding:16px;background:#8a93a3;${grid}">${cells.join('')}`);
  await page.screenshot({ fullPage: true, path: join(FOLDER, `${name}.png`) });
  await page.close();
}

const shotsOf = (mails: readonly string[], width: number, dark: boolean): readonly Shot[] =>
  mails.map((html) => ({ html, width, dark }));

await mkdir(FOLDER, { recursive: true });
const every = await receive([...samples(), lateSample()]);
const [opened, resolved, digest] = await receive([sampleOf('opened'), sampleOf('resolved'), sampleOf('digest')]);
if (!opened || !resolved || !digest) throw new Error('not every message was received');
const browser = await startChromium();
try {
  await sheet(browser, { name: 'email-phone-light', columns: 3, shots: shotsOf(every.slice(0, 6), 390, false) });
  await sheet(browser, { name: 'email-phone-dark', columns: 3, shots: shotsOf(every.slice(5), 390, true) });
  const wide = [...shotsOf([opened, resolved], 800, false), ...shotsOf([opened, digest], 800, true)];
  await sheet(browser, { name: 'email-desk', columns: 2, shots: wide });
} finally {
  await browser.close();
}
