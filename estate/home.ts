/** The home of the daemon: this repository's own definitions, looked at more often, and an .env that points them at the parts. */
import { createHome, type Home } from '../test/estate/daemon.ts';
import { makeScriptsExecutable, ownFiles } from '../test/estate/own-estate.ts';

/** How often probes look, and how long they wait: all that is changed of the definitions. */
export interface Pace {
  readonly everyMs: number;
  readonly retryEveryMs: number;
  readonly timeoutMs: number;
}

export const PACE: Pace = { everyMs: 2_000, retryEveryMs: 1_000, timeoutMs: 1_000 };
/** Of what a browser opens, which takes seconds, one page at a time: too slow to go down by a break before it is mended. */
const BROWSER_PACE: Pace = { everyMs: 30_000, retryEveryMs: 10_000, timeoutMs: 30_000 };

export async function writeHome(environment: Readonly<Record<string, string>>, pace: Pace): Promise<Home> {
  const files = await ownFiles((text, name) => retimed(text, name === 'probes/browser.yaml' ? BROWSER_PACE : pace));
  const home = await createHome({
    ...files,
    'brainstem.yml': `${files['brainstem.yml']}\ndefaults: { every: ${pace.everyMs}ms, timeout: ${pace.timeoutMs}ms }\n`,
    '.env': Object.entries(environment)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
      .join(''),
  });
  await makeScriptsExecutable(home.path);
  return home;
}

/** What a file or a probe says about its own pace, without comments, gives way to ours. */
function retimed(text: string, { everyMs, retryEveryMs, timeoutMs }: Pace): string {
  return text
    .replaceAll(/(?<!retry_)every: \w+/g, `every: ${everyMs}ms`)
    .replace(/^defaults: \{ (?!.*retry_every)/m, 'defaults: { retry_every: 1s, ')
    .replaceAll(/retry_every: \w+/g, `retry_every: ${retryEveryMs}ms`)
    .replaceAll(/\btimeout: \w+/g, `timeout: ${timeoutMs}ms`);
}
