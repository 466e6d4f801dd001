import { describe, expect, test } from 'vitest';
import { ConditionError, compileCondition, NO_WINDOW } from '../../src/engine/condition.ts';
import { createMatcher } from '../../src/engine/matches.ts';
import { bindings, condition, scope } from './judging.ts';

/** Ours take hundredths of a second and a broken bound takes minutes: between them there is room for a busy machine. */
const DEADLINE_MS = 2_000;

function timed<T>(work: () => T): { result: T; elapsedMs: number } {
  const startedAt = performance.now();
  const result = work();
  return { result, elapsedMs: performance.now() - startedAt };
}

describe('no pattern hangs', () => {
  const LONG = 'a'.repeat(1 << 20);
  const PATTERNS: readonly (readonly [pattern: string, text: string])[] = [
    ['(a+)+$', `${'a'.repeat(29)}!`],
    ['^(a+)+$', `${LONG}!`],
    ['(a|aa)+$', `${LONG}!`],
    ['(a|a?)+$', `${LONG}!`],
    ['^(([a-z])+.)+[A-Z]([a-z])+$', LONG],
    ['(.*a){20}$', `${LONG}!`],
    ['(x+x+)+y', 'x'.repeat(1 << 20)],
    ['^(\\w+\\s?)*$', `${'word '.repeat(20_000)}!`],
    ['([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*@', LONG],
    ['(?:a?){50}a{50}', 'a'.repeat(49)],
    ['[ab]*a[ab]{200}c$', `${'ab'.repeat(1 << 19)}x`],
    ['\\b(a.{0,100})+\\bz$', `${'ab a'.repeat(1 << 18)}zx`],
  ];

  test.each(PATTERNS)('%s', (pattern, text) => {
    const { elapsedMs } = timed(() => createMatcher(pattern).test(text));
    expect(elapsedMs).toBeLessThan(DEADLINE_MS);
  });

  test('only the first MiB of a text is searched', () => {
    const matcher = createMatcher('needle');
    expect(matcher.test(`${'x'.repeat((1 << 20) - 6)}needle`)).toBe(true);
    expect(matcher.test(`${'x'.repeat(1 << 20)}needle`)).toBe(false);
  });
});

describe('no evaluation hangs', () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => index);
  const body = 'a'.repeat(1 << 20);

  test.each([
    'rows.all(a, rows.all(b, rows.all(c, a + b + c >= 0)))',
    'rows.exists(a, rows.exists(b, a + b < 0))',
    '!rows.exists(a, rows.exists(b, rows.exists(c, json.missing == a) || json.missing == b))',
    'rows.map(a, rows.map(b, rows)).size() > 0',
    'rows.map(a, body + "x").size() > 0',
    'rows.map(a, body.lowerAscii()).size() > 0',
    'rows.filter(a, body.matches("(a+)+$")).size() > 0',
    'rows.map(a, body.split("")).size() > 0',
    'rows.all(a, a in rows)',
    'rows.all(a, rows == json.copy)',
    'rows.all(a, (rows + rows + rows).size() > 0)',
    `body.contains("b" + body.substring(0, ${1 << 19}))`,
    'json.deep == json.deeper',
  ])('%s', (source) => {
    const compiled = condition(source);
    const seen = bindings({ rows, body, json: { copy: [...rows], deep: nest(5_000), deeper: nest(5_000) } });
    const { result, elapsedMs } = timed(() => compiled.evaluate(seen, NO_WINDOW));
    expect(elapsedMs).toBeLessThan(DEADLINE_MS);
    expect(result.outcome).toBe('false');
    expect(result.detail).toMatch(/^stopped after 1000000 steps: /);
  });

  test('an honest walk over ten thousand rows is within the budget', () => {
    expect(condition('rows.all(r, r >= 0 && r < 10000)').evaluate(bindings({ rows }), NO_WINDOW).outcome).toBe('true');
  });

  test('the budget starts anew at each evaluation', () => {
    const compiled = condition('rows.all(r, rows.size() == 10000)');
    const outcomes = Array.from({ length: 30 }, () => compiled.evaluate(bindings({ rows }), NO_WINDOW).outcome);
    expect(new Set(outcomes)).toEqual(new Set(['true']));
  });
});

describe('nothing that is compiled or evaluated throws anything but a ConditionError', () => {
  const WORDS = [
    'status',
    'json',
    'json.a',
    'body',
    'rows',
    'certificate',
    'reason',
    'ok',
    'null',
    'true',
    '1',
    '2.5',
    '"x"',
    '[]',
    '{}',
    '==',
    '!=',
    '<',
    '+',
    '-',
    '*',
    '/',
    '%',
    'in',
    '&&',
    '||',
    '!',
    '?',
    ':',
    '(',
    ')',
    '[',
    ']',
    '.',
    ',',
    'has(',
    'size(',
    '.all(r,',
    '.map(r,',
    'r',
    '.matches("a")',
    '.contains(',
    'error_rate("5m")',
    'avg("json.a","5m")',
    '{',
    '}',
    '"',
    'r"\\',
    '\n',
  ];
  const VALUES: readonly unknown[] = [
    null,
    undefined,
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '',
    'x',
    true,
    [],
    [null],
    {},
    { a: 1 },
    { a: { a: [] } },
    [1, 'x', {}],
  ];

  test('ten thousand random sentences over random values', () => {
    const random = generator(7);
    const pick = <T>(items: readonly T[]) => items[Math.floor(random() * items.length)] as T;
    let compiled = 0;
    for (let round = 0; round < 10_000; round++) {
      const source = Array.from({ length: 1 + Math.floor(random() * 9) }, () => pick(WORDS)).join(' ');
      try {
        const { evaluate } = compileCondition(source, scope());
        compiled++;
        const fields = { status: pick(VALUES), json: pick(VALUES), body: pick(VALUES), rows: pick(VALUES) };
        expect(['true', 'false', 'no_data']).toContain(evaluate(bindings(fields), NO_WINDOW).outcome);
      } catch (error) {
        if (!(error instanceof ConditionError)) throw new Error(`not survived: ${source}`, { cause: error });
      }
    }
    expect(compiled).toBeGreaterThan(50);
  });
});

/** A list in a list in a list. */
function nest(depth: number): unknown {
  let value: unknown = [];
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

/** The same numbers between 0 and 1 at every run (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
