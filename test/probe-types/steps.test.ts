/** The grammar of `steps:` as people meet it: in files, in the schema of their editor, and in what a failed step says. */
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { fileSchemas, type JsonSchema } from '../../src/config/json-schema.ts';
import { optionRows } from '../../src/config/reference.ts';
import { RetryableError } from '../../src/errors.ts';
import { ProbeFailure } from '../../src/probe-types/failure.ts';
import { createMemory } from '../../src/probe-types/step-memory.ts';
import { type EndedStep, runSteps, type Verb } from '../../src/probe-types/steps.ts';
import { tcp } from '../../src/probe-types/tcp.ts';
import { registries } from '../../src/registries.ts';
import { load, only, problems } from '../config/homes.ts';

const file = (steps: string, secrets = '{}') => ({
  'probes/a.yaml': `probes:\n  - name: a\n    tcp:\n      host: 127.0.0.1\n      port: 1\n      secrets: ${secrets}\n      steps:\n${steps}`,
});

describe('a definition', () => {
  test.each([
    ['        - expct: a\n', 'probes/a.yaml:8:11: unknown key "expct" (did you mean "expect"?)'],
    ['        - { send: a, nme: b }\n', 'probes/a.yaml:8:22: unknown key "nme" (did you mean "name"?)'],
    [
      '        - send: a\n        - name: b\n',
      'probes/a.yaml:9:11: item 2 of "steps" needs one of send, send_hex, expect, expect_line, starttls, observe',
    ],
    [
      '        - { send: a, expect: b }\n',
      'probes/a.yaml:8:11: item 1 of "steps" has both "send" and "expect"; each is a step of its own',
    ],
    ['        - send: 1\n', 'probes/a.yaml:8:17: "send" must be text, got 1'],
    ['        - send\n', 'probes/a.yaml:8:11: item 1 of "steps" must be a mapping, got "send"'],
    ['        - expect: [a]\n', 'probes/a.yaml:8:19: "expect" must be text or a mapping, got a list'],
    ['        - expect: { fail: {} }\n', 'probes/a.yaml:8:11: "expect" needs "match"'],
    [
      '        - expect: { match: a, fail: { auht: b } }\n',
      'probes/a.yaml:8:39: unknown key "auht" (did you mean "auth"?)',
    ],
    ['        - expect: "("\n', 'is not a regular expression of RE2'],
    ['        - send_hex: "0x00"\n', '"send_hex" is not hexadecimal; write pairs of digits: "00 ff"'],
    ['        - starttls: no\n', 'probes/a.yaml:8:21: "starttls" must be true'],
    ['        - starttls: true\n        - starttls: true\n', '"steps" may have "starttls" once'],
    ['        - observe: { probe: a }\n', 'the key "probe" must be letters, digits and "_", and free'],
    [
      '        - expect: (?P<stamp>.*)\n        - send: "{{stmp}}"\n',
      'probes/a.yaml:9:17: "send" names {{stmp}}, which no step before saves (did you mean "stamp"?)',
    ],
    ['        - send: "{{later}}"\n        - expect: (?P<later>.*)\n', '"send" names {{later}}, which no step before'],
    ['        - expect: (a)\n        - send: "{{1}} {{2}}"\n', '"send" names {{2}}, which no step before saves'],
  ])('is refused with its place: %j', async (steps, message) => {
    const found = await problems(file(steps));
    expect(found).toEqual([expect.stringContaining(message)]);
  });

  test('may not show a secret', async () => {
    const found = await problems(file('        - observe: { a: "{{word}}" }\n', '{ word: correct-horse }'));
    expect(found).toEqual(['probes/a.yaml:8:25: "a" may not show {{word}}']);
  });

  test('with a secret name that is none', async () => {
    const found = await problems(file('        - send: a\n', '{ "a b": correct-horse }'));
    expect(found).toEqual(['probes/a.yaml:6:18: the key "a b" must be letters, digits and "_"']);
  });

  test('keeps its secrets', async () => {
    const files = file('        - send: "LOGIN {{word}}"\n', '{ word: "${WORD}" }');
    const { secrets, probes } = await load(files, { WORD: 'made-up-word' });
    expect(secrets).toEqual(['made-up-word']);
    expect(only(probes).spec).toMatchObject({ steps: [{ send: 'LOGIN {{word}}' }] });
    expect(only((await load(files)).probes).unset).toEqual(['WORD']);
  });

  test('shows every verb, in the schema and in words', () => {
    const at = (schema: unknown, ...path: string[]) =>
      path.reduce((value, key) => (value as Record<string, unknown>)[key], schema) as JsonSchema;
    const schema = at(fileSchemas(registries), 'probes', 'properties', 'probes', 'items', 'properties', 'tcp');
    const steps = at(schema, 'properties', 'steps', 'anyOf', '0', 'items');
    const rows = optionRows(tcp.spec, tcp.mainOption).filter(({ name }) => name.startsWith('steps[].'));
    for (const verb of ['send', 'send_hex', 'expect', 'expect_line', 'starttls', 'observe']) {
      expect(at(steps, 'properties', verb)['description']).toMatch(/\w+/);
      expect(steps['oneOf']).toContainEqual({ required: [verb] });
      expect(rows).toContainEqual(
        expect.objectContaining({ name: `steps[].${verb}`, summary: expect.stringMatching(/./) }),
      );
    }
    expect(rows.map(({ name }) => name)).toContain('steps[].expect.fail.auth');
  });
});

describe('the runner', () => {
  interface World {
    readonly log: string[];
  }
  const option = z.string();
  const say: Verb<World, typeof option> = {
    name: 'say',
    option,
    run: async (text, { log }, memory) => void log.push(memory.fill(text)),
  };
  const keep: Verb<World, typeof option> = {
    name: 'keep',
    option,
    run: async (value, _, memory) => memory.save('kept', value),
  };
  const fail: Verb<World, typeof option> = {
    name: 'fail',
    option,
    run: async (text, _, memory) => {
      throw new ProbeFailure('body', memory.fill(text));
    },
  };
  const lack: Verb<World, typeof option> = {
    name: 'lack',
    option,
    run: async () => {
      throw new RetryableError('out_of_resources', 'no descriptors');
    },
  };
  let now = 0;
  const clock = { now: () => 0, monotonic: () => (now += 5) };
  const run = (steps: Parameters<typeof runSteps>[0], world: World, onEnd?: (step: EndedStep) => void) =>
    runSteps(steps, [say, keep, fail, lack], world, { clock, ...(onEnd && { onEnd }) });

  test('runs steps in order, with what was saved', async () => {
    const world = { log: [] };
    await run([{ say: 'a' }, { keep: 'value' }, { say: '{{kept}}, {{ kept }} and {{kept}}' }], world);
    expect(world.log).toEqual(['a', 'value, {{ kept }} and value']);
  });

  test('a failure ends the run, names its step, keeps its reason and shows no value', async () => {
    const world = { log: [] };
    const ended: EndedStep[] = [];
    const failing = run(
      [{ keep: 'a-secret&value' }, { name: 'log in', fail: 'no a-secret%26value, no {{kept}}' }, { say: 'never' }],
      world,
      (step) => ended.push(step),
    );
    await expect(failing).rejects.toMatchObject({
      reason: 'body',
      message: 'step 2 (log in): no [redacted], no [redacted]',
    });
    expect(world.log).toEqual([]);
    expect(ended).toEqual([
      { number: 1, name: 'keep', latencyMs: 5 },
      { number: 2, name: 'log in', latencyMs: 5 },
    ]);
  });

  test('a lack of our own is nobody else’s failure', async () => {
    await expect(run([{ lack: 'a' }], { log: [] })).rejects.toBeInstanceOf(RetryableError);
  });

  test('what was replaced or only passed by is hidden too, as far as it is worth the time', () => {
    const memory = createMemory({ word: 'first-word' });
    memory.save('word', 'second-word');
    memory.conceal('a-cookie-of-it');
    expect(memory.hide('first-word second-word a-cookie-of-it')).toBe('[redacted] [redacted] [redacted]');
    const startedAt = performance.now();
    for (let count = 0; count < 2_500; count += 1) memory.conceal(`${count}/`.repeat(500));
    expect(memory.hide('second-word 2499/2499/')).toBe('[redacted] 2499/2499/');
    expect(memory.hide('2499/'.repeat(500))).toBe('[redacted]');
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('a value that is no value but a document is not kept', () => {
    expect(() => createMemory().save('a', 'x'.repeat(10_000))).toThrow(/more than 8192 characters/);
  });
});
