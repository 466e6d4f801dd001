import { expect, it } from 'vitest';
import { parsePerfdata, parsePluginOutput } from '../../src/shared/perfdata.ts';

it.each([
  ['time=0.013278s;1.000000;2.000000;0.000000;10.000000 size=190B;;;0;', { time: 0.013278, size: 190 }],
  ['procs=1;1:;1:;0;', { procs: 1 }],
  ['/=24853348352B;243497277849;257024904396;0;270552530944', { '/': 24853348352 }],
  ["'free space'=5% 'it''s'=2", { 'free space': 5, "it's": 2 }],
  ['load1=0.540;100.000;200.000;0; load5=0.470;', { load1: 0.54, load5: 0.47 }],
  ['a=U b=1', { b: 1 }],
  ['a=-1.5e-3s;@10:20;~:5', { a: -0.0015 }],
  ['a=.5 b=+2 c=3.', { a: 0.5, b: 2, c: 3 }],
  ['a=1c;;;; b=2us\tc=3ms\nd=4MB', { a: 1, b: 2, c: 3, d: 4 }],
  ['a=1 a=2', { a: 2 }],
  ['rta=0.05ms;100.000;500.000;0; pl=0%;20;60;;', { rta: 0.05, pl: 0 }],
  ['no metrics here', {}],
  ['=5 a= b=x1 c=1;2;3;4;5;6 d=1', { d: 1 }],
  ['', {}],
])('reads %j', (text, expected) => {
  expect(parsePerfdata(text)).toEqual(expected);
});

it('reads the summary and the data of several lines', () => {
  const output =
    'DISK OK - free space: / 3326 MB | /=2643MB;5948\n/ 15272 MB (77%)\n/boot 68 MB | /boot=68MB;88\n/home=69357MB\n';
  expect(parsePluginOutput(output)).toEqual({
    summary: 'DISK OK - free space: / 3326 MB',
    perfdata: { '/': 2643, '/boot': 68, '/home': 69357 },
  });
  expect(parsePluginOutput('fine')).toEqual({ summary: 'fine', perfdata: {} });
});

it('takes no label for more than a label', () => {
  const parsed = parsePerfdata('__proto__=1 constructor=2');
  expect(Object.keys(parsed)).toEqual(['__proto__', 'constructor']);
  expect(({} as Record<string, unknown>)['constructor']).toBe(Object);
});

it('keeps a bounded number of labels, in linear time', () => {
  const text = Array.from({ length: 50_000 }, (_, index) => `l${index}=1`).join(' ');
  expect(Object.keys(parsePerfdata(text)).length).toBe(1_000);
  for (const hostile of [
    "'".repeat(20_000),
    'a='.repeat(20_000),
    `a=${'1'.repeat(100_000)}x`,
    "''a".repeat(20_000),
    "' a=1 ".repeat(20_000),
    `'${'a'.repeat(100_000)}`,
  ]) {
    const started = performance.now();
    parsePerfdata(hostile);
    expect(performance.now() - started).toBeLessThan(500);
  }
});
