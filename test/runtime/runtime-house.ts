/**
 * The whole runtime on a real store, with a probe type, an action type and a notifier type of the test's own: what a probe
 * sees, what an act does and what people hear are in the hands of the test, and so is the clock.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { z } from 'zod';
import { PermanentError, RetryableError } from '../../src/errors.ts';
import type {
  Alert,
  Attempt,
  Configuration,
  Incident,
  NotifierDefinition,
  Probe,
  RateLimit,
  Reason,
  Remediation,
  Route,
} from '../../src/model.ts';
import type {
  ActionInput,
  ActionOutput,
  ActionType,
  Clock,
  Log,
  Meter,
  NotifierType,
  ProbeOutput,
  ProbeType,
  Store,
} from '../../src/ports.ts';
import { createRuntime, type Runtime } from '../../src/runtime/runtime.ts';
import { openStore } from '../../src/store/open.ts';
import { aProbe, aRemediation } from '../engine/definitions.ts';
import { quietLog } from '../notifiers/alerts.ts';

export interface OwnedClock extends Clock {
  /** Both clocks go on, as when time passes. */
  advance(ms: number): void;
  /** Only the wall clock is set. */
  jump(ms: number): void;
}

/** Real time, plus what the test adds to it. */
export function ownedClock(): OwnedClock {
  let passed = 0;
  let set = 0;
  return {
    now: () => Math.round(Date.now() + passed + set),
    monotonic: () => performance.now() + passed,
    advance(ms) {
      passed += ms;
    },
    jump(ms) {
      set += ms;
    },
  };
}

type Look = (context: { readonly signal: AbortSignal }) => ProbeOutput | Promise<ProbeOutput>;
type Act = (input: ActionInput, signal: AbortSignal) => ActionOutput | Promise<ActionOutput>;

type Cut = 'before' | 'swallow' | 'refuse';

/** What a home holds; everything else is the default. */
export interface HomeFacts {
  readonly probes: readonly Partial<Probe>[];
  readonly remediations?: readonly Partial<Remediation>[];
  readonly routes?: readonly Route[];
  readonly notifiers?: readonly (string | (Partial<NotifierDefinition> & { readonly name: string }))[];
  readonly healing?: Partial<Configuration['settings']['healing']>;
  readonly flapping?: RateLimit;
  readonly watchdog?: Configuration['settings']['watchdog'];
}

export interface RuntimeHouse {
  readonly home: string;
  readonly clock: OwnedClock;
  readonly store: Store;
  readonly runtime: Runtime;
  /** Errors and warnings that were logged. */
  readonly logged: { readonly level: string; readonly event: string; readonly fields: Record<string, unknown> }[];
  /** Every call of the meter. */
  readonly metered: { readonly name: string; readonly values: readonly unknown[] }[];
  /** Alerts that notifiers took, in order. */
  readonly heard: { readonly notifier: string; readonly alert: Alert }[];
  /** Acts that were carried out, in order. */
  readonly acts: string[];
  /** What a probe sees from now on. */
  see(probe: string, what: Reason | Look): void;
  /** What an act does. Default: done. */
  act(remediation: string, what: Act): void;
  /** All notifiers, or this one, take nothing from now on; false: they take everything. */
  deafen(which: boolean | string): void;
  start(facts: HomeFacts): Promise<void>;
  apply(facts: HomeFacts): Promise<readonly string[]>;
  /**
   * The store fails as a lost connection does, until `mend`; `swallow` commits first, and only the answer is lost; `refuse`
   * is a password that is wrong now.
   */
  readonly line: { cut(how?: Cut): void; mend(): void; isCut(): boolean };
  /** The daemon was told that it cannot go on. */
  readonly lost: readonly Error[];
  /** Ends the daemon, and starts another on the same store. */
  restart(facts: HomeFacts): Promise<void>;
  stop(): Promise<void>;
  close(): Promise<void>;

  state(probe: string): string | undefined;
  open(probe: string): Incident | undefined;
  kinds(): Alert['kind'][];
  attempts(): Promise<readonly Attempt[]>;
  /** How often a probe was run. */
  looks(probe: string): number;
  until(holds: () => unknown): Promise<void>;
}

const EVERY_MS = 100;

export async function openRuntime(): Promise<RuntimeHouse> {
  const home = await mkdtemp(join(tmpdir(), 'brainstem-runtime-'));
  const clock = ownedClock();
  let store = await openStore({ home, clock, log: quietLog });
  const seen = new Map<string, Reason | Look>();
  const looked = new Map<string, number>();
  const acting = new Map<string, Act>();
  const logged: RuntimeHouse['logged'] = [];
  const metered: RuntimeHouse['metered'] = [];
  const heard: RuntimeHouse['heard'] = [];
  const acts: string[] = [];
  let deaf: boolean | string = false;
  const lost: Error[] = [];

  const probeType: ProbeType = {
    ...{ name: 'told', summary: '', mainOption: '', example: '', spec: z.unknown(), fields: {}, families: [] },
    target: () => 'test',
    remote: (spec) => (typeof spec === 'string' ? spec : undefined),
    resource: () => ({ kind: 'thing', name: 'one' }),
    async run(_spec, { probe }, { signal }) {
      looked.set(probe, (looked.get(probe) ?? 0) + 1);
      const what = seen.get(probe) ?? 'ok';
      return typeof what === 'string' ? { reason: what, fields: {} } : what({ signal });
    },
  };
  const actionType: ActionType = {
    ...{ name: 'deed', summary: '', mainOption: '', example: '', spec: z.unknown() },
    resource: (_spec, remediation) => `deed:${remediation}`,
    alsoLocks: (spec) => (spec as { also?: readonly string[] } | undefined)?.also ?? [],
    would: () => 'do it',
    readsOnly: () => false,
    fromProbe: () => false,
    async run(_spec, input, { signal }) {
      acts.push(input.remediation);
      return (await acting.get(input.remediation)?.(input, signal)) ?? { done: true };
    },
  };
  const notifierType: NotifierType = {
    ...{ name: 'ear', summary: '', mainOption: '', example: '', spec: z.object({ name: z.string() }) },
    async run(spec, { alert }) {
      const { name } = spec as { name: string };
      if (deaf === true || deaf === name) return { delivered: false, retry: true, error: 'deaf' };
      heard.push({ notifier: name, alert });
      return { delivered: true };
    },
  };
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (event, fields = {}) => void logged.push({ level: 'warn', event, fields }),
    error: (event, fields = {}) => void logged.push({ level: 'error', event, fields }),
    child: () => log,
  };
  const meter = new Proxy({} as Meter, {
    get:
      (_, name) =>
      (...values: unknown[]) =>
        void metered.push({ name: String(name), values }),
  });

  let cut: Cut | undefined;
  const line: RuntimeHouse['line'] = {
    cut(how = 'before') {
      cut = how;
    },
    mend() {
      cut = undefined;
    },
    isCut: () => cut !== undefined,
  };

  const build = (): Runtime =>
    createRuntime({
      ...{
        store: overLine(store, () => cut),
        clock,
        log,
        meter,
        environment: {},
        redact: (text: string) => text,
        random: () => 0.5,
      },
      registries: {
        probeTypes: { told: probeType },
        actionTypes: { deed: actionType },
        notifierTypes: { ear: notifierType },
      },
      process: { cpuMs: () => performance.now(), uptimeMs: () => performance.now(), memoryBytes: () => 0 },
      reload: () => Promise.reject(new Error('this house has no files')),
      onLost: (error) => void lost.push(error),
    });
  let runtime = build();
  const opening = (probe: string) =>
    runtime.views.openIncidents().find(({ source, subject }) => source === 'probe' && subject === probe);

  const house: RuntimeHouse = {
    ...{ home, clock, logged, metered, heard, acts, line, lost },
    get store() {
      return store;
    },
    get runtime() {
      return runtime;
    },
    see: (probe, what) => void seen.set(probe, what),
    deafen(which) {
      deaf = which;
    },
    act: (remediation, what) => void acting.set(remediation, what),
    start: (facts) => runtime.start(configurationOf(home, facts)),
    apply: (facts) => runtime.apply(configurationOf(home, facts)),
    async restart(facts) {
      await runtime.stop();
      await store.close();
      store = await openStore({ home, clock, log: quietLog });
      runtime = build();
      await runtime.start(configurationOf(home, facts));
    },
    stop: () => runtime.stop(),
    async close() {
      await runtime.stop();
      await store.close();
      await rm(home, { recursive: true, force: true });
    },
    state: (probe) => runtime.views.probe(probe)?.state.state,
    open: opening,
    kinds: () => heard.map(({ alert }) => alert.kind),
    attempts: () => store.attempts({ limit: 100 }),
    looks: (probe) => looked.get(probe) ?? 0,
    until: (holds) =>
      vi.waitFor(async () => expect(await holds()).toBeTruthy(), { timeout: 20_000, interval: 10 }) as Promise<void>,
  };
  return house;
}

/** The store as it is reached over a connection that can be cut. */
function overLine(store: Store, cut: () => Cut | undefined): Store {
  const away = () => new RetryableError('store_away', 'the connection was lost');
  return new Proxy(store, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function' || name === 'close') return member;
      return async (...parameters: unknown[]) => {
        if (cut() === 'before') throw away();
        if (cut() === 'refuse') throw new PermanentError('store_refused', 'the password is wrong');
        const answer: unknown = await Reflect.apply(member, target, parameters);
        if (cut()) throw away();
        return answer;
      };
    },
  });
}

let revisions = 0;

function configurationOf(home: string, facts: HomeFacts): Configuration {
  const notifiers = (facts.notifiers ?? ['ear']).map((each): NotifierDefinition => {
    const changes = typeof each === 'string' ? { name: each } : each;
    return {
      ...{ type: 'ear', spec: { name: changes.name }, burst: 100, timeoutMs: 1_000, unset: [] },
      location: { file: 'brainstem.yml', line: 1, column: 1 },
      ...changes,
    };
  });
  const probes = facts.probes.map((changes) =>
    aProbe({
      ...{ type: 'told', schedule: { kind: 'interval', everyMs: EVERY_MS }, failAfter: 2, recoverAfter: 2 },
      ...{ revision: JSON.stringify(changes) },
      ...changes,
    }),
  );
  const remediations = (facts.remediations ?? []).map((changes) =>
    aRemediation({ ...{ type: 'deed', cooldownMs: 0, verifyWithinMs: 20_000 }, ...changes }),
  );
  revisions += 1;
  return {
    settings: {
      home,
      http: { host: '127.0.0.1', port: 0, publicUrl: 'http://127.0.0.1:9911' },
      store: {},
      cluster: false,
      log: { level: 'info' },
      healing: {
        ...{ mode: 'auto', budget: { count: 10, windowMs: 600_000 }, freezeFile: join(home, 'FREEZE'), vantage: [] },
        ...facts.healing,
      },
      alerts: { flapping: facts.flapping ?? { count: 3, windowMs: 600_000 } },
      history: { resultsMs: 86_400_000, maxBytes: 1e9 },
      ...(facts.watchdog && { watchdog: facts.watchdog }),
    },
    probes: new Map(probes.map((probe) => [probe.name, probe])),
    remediations: new Map(remediations.map((remediation) => [remediation.name, remediation])),
    notifiers: new Map(notifiers.map((notifier) => [notifier.name, notifier])),
    ...{ routes: facts.routes ?? [], secrets: [], warnings: [], revision: `c${revisions}` },
  };
}

/** A look or an act that the test ends when it likes. */
export function gate<T>(): { readonly promise: Promise<T>; open(value: T): void } {
  let open: (value: T) => void = () => undefined;
  const promise = new Promise<T>((resolve) => {
    open = resolve;
  });
  return { promise, open: (value) => open(value) };
}
