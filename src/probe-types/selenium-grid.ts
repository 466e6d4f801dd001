/** Probe type `selenium-grid`: nodes, slots and queue of a Selenium Grid, and a real session for those who want one. */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { Context, ProbeOutput, ProbeType } from '../ports.ts';
import { createAccessSource } from './http-access.ts';
import type { Access } from './http-exchange.ts';
import { printable } from './http-request.ts';
import { httpSpec } from './http-spec.ts';
import { addressFamilies, tlsFamilies } from './network-families.ts';
import { oncePerSpec } from './once-per-spec.ts';
import { createResolver, type NameResolver } from './resolve.ts';
import { createApi, demandJson } from './selenium-api.ts';
import { quitLeftovers, trySession } from './selenium-session.ts';
import { demandReady, gridFields, QUEUE_QUERY, readQueue, readStatus, toFigures } from './selenium-status.ts';
import { connectionFields, runOverConnection } from './server-run.ts';

const PHASES = {
  resolve: 'Name resolution',
  connect: 'TCP connect, of all requests',
  tls: 'TLS handshake, of all requests',
  processing: 'Requests sent until the headers have come',
  transfer: 'Headers until the answers are complete',
};

const { url, headers, tls, proxy, ip_protocol, resolver } = httpSpec.shape;
const seleniumGridSpec = z.strictObject({
  url: url.describe('Where the grid is, such as http://127.0.0.1:4444; userinfo in it is sent as basic authentication'),
  session: z
    .boolean()
    .default(false)
    .describe('Open a real session and quit it, at each run. Give it an interval and a timeout to match'),
  capabilities: z
    .record(z.string(), z.unknown())
    .default({ browserName: 'chrome' })
    .describe('Of that session. Default: { browserName: chrome }'),
  ...{ headers, tls, proxy, ip_protocol, resolver },
});
type SeleniumGridSpec = z.output<typeof seleniumGridSpec>;

interface Prepared {
  readonly spec: SeleniumGridSpec;
  readonly access: Access;
  /** Of our sessions on the grid. */
  readonly name: string;
}

/** A type with its own name cache, default TLS context and prepared specs. */
function createSeleniumGrid(resolver: NameResolver = createResolver()): ProbeType<typeof seleniumGridSpec> {
  const accessOf = createAccessSource();
  const prepare = oncePerSpec((spec: SeleniumGridSpec): Prepared => {
    return { spec, access: accessOf(spec), name: `brainstem-probe-${randomUUID()}` };
  });
  return {
    name: 'selenium-grid',
    summary: 'A Selenium Grid (version 4): nodes, free slots, the queue, and a real session that is opened and quit',
    spec: seleniumGridSpec,
    mainOption: 'url',
    example: `- name: grid
  selenium-grid:
    url: "http://127.0.0.1:4444"
  expect:
    - nodes >= 1
  warn:
    - queue == null || queue < 5
`,
    fields: {
      ...gridFields,
      session_ms: {
        type: 'double',
        unit: 'ms',
        summary: 'How long opening a session took; null without session: true',
      },
      browser_version: { type: 'string', summary: 'Of the browser that was opened' },
      ...connectionFields(PHASES),
    },
    families: [...addressFamilies, ...tlsFamilies],
    target: ({ url }) => printable(new URL(url)),
    remote: (spec) => new URL(spec.proxy ?? spec.url).hostname,
    run: (spec, _input, context) => runSeleniumGrid(prepare(spec), resolver, context),
  };
}

export const seleniumGrid = createSeleniumGrid();

async function runSeleniumGrid(
  { spec, access, name }: Prepared,
  resolver: NameResolver,
  context: Context,
): Promise<ProbeOutput> {
  const { clock } = context;
  return await runOverConnection(context, PHASES, async (line, { seen, fields }) => {
    const api = createApi(spec, access, { line, resolver, now: clock.now(), seen });
    const look = async () => readStatus(demandJson(await api('GET', '/status')));
    let status = await look();
    if (spec.session && (await quitLeftovers(api, name)) > 0) status = await look();
    const figures = toFigures(status);
    Object.assign(fields, figures);
    const { json } = await api('POST', '/graphql', { query: QUEUE_QUERY });
    fields['queue'] = readQueue(json);
    demandReady(status, figures);
    if (!spec.session) return;
    const { openMs, browserVersion } = await trySession(api, name, spec.capabilities, () => clock.monotonic());
    Object.assign(fields, { session_ms: openMs, browser_version: browserVersion });
  });
}
