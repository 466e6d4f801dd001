/** Every example that `brainstem explain` shows is valid and comes true: against what it talks of, on loopback. */
import { describe, expect, onTestFinished, test } from 'vitest';

import { explain } from '../../src/cli/explain.ts';
import { probeTypes } from '../../src/probe-types/index.ts';
import { stageExample, whyNotUp } from '../estate/examples/example.ts';
import { scenes } from '../estate/examples/scenes.ts';

/** Types of one example each that want more than a minute to start on a machine that has nothing of theirs yet. */
const SLOW_MS = 400_000;
// systemd-nspawn and dockerd need root.
const AS_ROOT = ['docker', 'systemd'];
const types = Object.keys(probeTypes);

test('every type has an example, and every example its scene', () => {
  expect(Object.keys(scenes).sort()).toEqual([...types].sort());
  for (const { example } of Object.values(probeTypes)) expect(example).not.toBe('');
});

describe('the example of', () => {
  for (const type of types) {
    const run = test.skipIf(AS_ROOT.includes(type) && process.getuid?.() !== 0);
    run(`${type} comes true`, { timeout: SLOW_MS }, async () => {
      const example = await stageExample(type);
      onTestFinished(example.close, SLOW_MS);
      expect(whyNotUp(await example.run())).toBeUndefined();
    });
  }
});

describe('brainstem explain', () => {
  interface Row {
    readonly name: string;
    readonly type: string;
    readonly unit?: string;
    readonly summary: string;
  }
  interface Explained {
    readonly kind: string;
    readonly name: string;
    readonly summary: string;
    readonly example: string;
    readonly options: readonly Row[];
    readonly fields: readonly Row[];
  }

  async function explained(type?: string): Promise<readonly Explained[]> {
    let out = '';
    const io = {
      out(text: string) {
        out += text;
      },
      err() {},
      environment: {},
      isTerminal: false,
      color: false,
    };
    await explain({ ...(type !== undefined && { type }), json: true }, io);
    return (JSON.parse(out) as Explained[]).filter(({ kind }) => kind === 'probe');
  }

  test('lists every type', async () => {
    expect((await explained()).map(({ name }) => name)).toEqual([...types].sort());
  });

  test.each(types)('%s shows every option and field in words, and what a field is measured in', async (type) => {
    const [shown] = await explained(type);
    expect(shown?.example).toBe(probeTypes[type]?.example);
    expect(shown?.options.filter(({ summary }) => summary === '')).toEqual([]);
    expect(shown?.fields.filter(({ summary }) => summary === '')).toEqual([]);
    // A unit that stands in the name of a field is its unit.
    const named = (shown?.fields ?? []).filter(({ name }) => UNIT_IN_NAME.test(name));
    expect(named.filter(({ unit = '' }) => unit === '')).toEqual([]);
  });
});

const UNIT_IN_NAME = /_(ms|s|bytes|percent|days)$/;
