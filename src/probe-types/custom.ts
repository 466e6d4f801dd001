/**
 * Probe type `custom`: a module of the home in TypeScript or JavaScript. It runs in a thread of its own, which is started at
 * the first run and ended when nothing has run in it for a while.
 */
import { z } from 'zod';
import type { FieldDeclarations, ProbeModule } from '../model.ts';
import type { Context, ProbeInput, ProbeOutput, ProbeType } from '../ports.ts';
import { ModuleThread } from '../shared/modules/module-thread.ts';
import { secret } from '../spec.ts';

const values = <Value extends z.ZodType>(value: Value) => z.record(z.string().min(1), value).default({});

const customSpec = z.strictObject({
  module: z
    .string()
    .min(1)
    .describe('A file below probes/ that exports defineProbe({ … }), relative to the folder of the definition file'),
  env: values(z.string()).describe('What the module reads as context.env'),
  secrets: values(secret()).describe('What the module reads as context.secrets; appears in no log, page or message'),
  options: values(z.unknown()).describe('What the module reads as context.options'),
});
type CustomSpec = z.output<typeof customSpec>;

const fields: FieldDeclarations = {
  '*': { type: 'dyn', summary: 'Whatever the module returns; what it declares in "fields" has that type' },
};

const IDLE_MS = 60_000;

interface Kept {
  readonly thread: ModuleThread;
  idle?: NodeJS.Timeout;
}

/**
 * One thread a module and revision of its code; none while no such probe runs.
 * @param idleMs A thread in which nothing ran for this long is ended; the next run starts another.
 */
export function createCustomProbeType(idleMs = IDLE_MS): ProbeType<typeof customSpec> {
  const threads = new Map<string, Kept>();

  function threadOf(module: ProbeModule, { environment, log }: Context): Kept {
    const key = `${module.home}/${module.file}@${module.revision}`;
    const known = threads.get(key);
    if (known?.thread.open) return known;
    clearTimeout(known?.idle);
    const made: Kept = { thread: new ModuleThread(module, environment ?? {}, log) };
    threads.set(key, made);
    return made;
  }

  async function run(spec: CustomSpec, input: ProbeInput, context: Context): Promise<ProbeOutput> {
    const { module, probe, folder = '.' } = input;
    if (!module) return { reason: 'internal', fields: {}, error: `${spec.module} was not loaded` };
    const kept = threadOf(module, context);
    clearTimeout(kept.idle);
    const { env, secrets, options } = spec;
    const request = { probe, folder, timeoutMs: context.timeoutMs, env, secrets, options };
    const output = await kept.thread.run(request, context.signal);
    clearTimeout(kept.idle);
    if (kept.thread.idle) kept.idle = setTimeout(() => kept.thread.retire(), idleMs).unref();
    return output;
  }

  function retireAll(): void {
    for (const { thread, idle } of threads.values()) {
      clearTimeout(idle);
      thread.retire();
    }
    threads.clear();
  }

  return {
    name: 'custom',
    summary: 'A probe in code: a module in TypeScript or JavaScript',
    spec: customSpec,
    mainOption: 'module',
    example: [
      'name: queue',
      'custom: { module: ./queue.ts, options: { directory: /var/spool/app } }',
      'expect: [waiting < 100]',
    ].join('\n'),
    fields,
    families: [],
    moduleOption: 'module',
    target: ({ module }) => module,
    // There is nothing to follow: it is told when definitions change and when the daemon stops.
    watch: (_probes, _wake, { signal }) => signal.addEventListener('abort', retireAll, { once: true }),
    run,
  };
}
