/** The home of the daemon: this repository's own definitions, looked at more often, and an .env that points them at the parts. */
import { createHome, type Home } from '../test/estate/daemon.ts';
import { makeScriptsExecutable, ownFiles } from '../test/estate/own-estate.ts';

/** How often probes look, and how long they wait: all that is changed of the definitions. */
export const PACE = { everyMs: 3_000, retryEveryMs: 1_000, timeoutMs: 2_000 };
/** Of what a browser opens, which takes seconds, one page at a time: too slow to go down by a break before it is mended. */
const BROWSER_PACE: typeof PACE = { everyMs: 30_000, retryEveryMs: 10_000, timeoutMs: 30_000 };

const DEFAULTS = `
defaults: { every: ${PACE.everyMs}ms, timeout: ${PACE.timeoutMs}ms }
`;

export async function writeHome(environment: Readonly<Record<string, string>>): Promise<Home> {
  const files = await ownFiles(retimed);
  const home = await createHome({
    ...files,
    'brainstem.yml': `${files['brainstem.yml']}${DEFAULTS}`,
    '.env': Object.entries(environment)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
      .join(''),
  });
  await makeScriptsExecutable(home.path);
  return home;
}

/** What a file or a probe says about its own pace, without comments, gives way to ours. */
function retimed(text: string, name: string): string {
  const { everyMs, retryEveryMs, timeoutMs } = name === 'probes/browser.yaml' ? BROWSER_PACE : PACE;
  return text
    .replaceAll(/(?<!retry_)every: \w+/g, `every: ${everyMs}ms`)
    .replace(/^defaults: \{ (?!.*retry_every)/m, 'defaults: { retry_every: 1s, ')
    .replaceAll(/retry_every: \w+/g, `retry_every: ${retryEveryMs}ms`)
    .replaceAll(/\btimeout: \w+/g, `timeout: ${timeoutMs}ms`);
}
