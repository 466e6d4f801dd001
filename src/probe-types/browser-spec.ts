/** The options of the `browser` probe type. */
import { z } from 'zod';
import { httpUrl } from '../shared/http-options.ts';
import { duration } from '../spec.ts';
import { browserVerbs } from './browser-verbs.ts';
import { checkSteps, secretsOption, stepsOption } from './steps.ts';

const options = z.strictObject({
  url: httpUrl(['http:', 'https:']).describe(
    'The page that is opened first; userinfo in it is sent as basic authentication',
  ),
  steps: stepsOption(browserVerbs).default([]).describe('What is done there, in order: each step has one verb'),
  secrets: secretsOption().default({}),
  patience: duration().prefault('5s').describe('How long a step waits for what it needs'),
  executable: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Chromium or Chrome: a path, or a name on PATH. Default: the first of chromium, chromium-browser, google-chrome',
    ),
  sandbox: z
    .boolean()
    .default(true)
    .describe(
      'The sandbox of a browser that is started here. As root it does not start with it: run Brainstem as a user of its own',
    ),
  cdp: httpUrl(['http:', 'https:', 'ws:', 'wss:'])
    .optional()
    .describe('A browser that runs already, by its DevTools address, such as http://127.0.0.1:9222'),
  grid: httpUrl(['http:', 'https:'])
    .optional()
    .describe(
      'A Selenium Grid (version 4) that opens a browser for each run, such as http://127.0.0.1:4444; userinfo in it is sent as basic authentication',
    ),
  capabilities: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Of the session on that grid; its browser is chrome unless browserName says another that has DevTools'),
  insecure_skip_verify: z.boolean().default(false).describe('Accept any certificate'),
  screenshot_on_failure: z.boolean().default(true).describe('Keep a picture of a run that fails, in data/screenshots'),
});

export const browserSpec = options
  .superRefine(checkSteps(browserVerbs))
  .refine(({ cdp, executable }) => cdp === undefined || executable === undefined, {
    path: ['executable'],
    message: 'starts nothing where `cdp` names a browser that runs already',
  })
  .refine(({ grid, cdp, executable }) => grid === undefined || (cdp ?? executable) === undefined, {
    path: ['grid'],
    message: 'opens a browser of its own: it stands without `cdp` and `executable`',
  })
  .refine(({ grid, capabilities }) => grid !== undefined || capabilities === undefined, {
    path: ['capabilities'],
    message: 'are those of a session on a `grid`',
  });
export type BrowserSpec = z.output<typeof options>;
