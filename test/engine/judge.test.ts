import { describe, expect, test } from 'vitest';
import { NO_WINDOW } from '../../src/engine/condition.ts';
import { bindingsOf, judge, recordedValues, windowlessError } from '../../src/engine/judge.ts';
import { createWindow, sampleOf, windowSpecOf } from '../../src/engine/window.ts';
import { REASONS, type WindowReader } from '../../src/model.ts';
import { condition, observation, probe } from './judging.ts';

const reading = (value: number | undefined): WindowReader => ({ read: () => value });

describe('kinds', () => {
  const web = probe({ expect: ['status == 200'], warn: ['latency_ms < 100'] });

  test('pass', () => {
    const verdict = judge(web, observation({ fields: { status: 200 } }), NO_WINDOW);
    expect(verdict).toEqual({ kind: 'pass', reason: 'ok', decidedBy: [], summary: 'ok' });
  });

  test('warn, when only a warn condition is false', () => {
    const verdict = judge(web, observation({ latencyMs: 250, fields: { status: 200 } }), NO_WINDOW);
    expect(verdict).toEqual({
      kind: 'warn',
      reason: 'condition',
      decidedBy: [{ source: 'latency_ms < 100', result: { outcome: 'false', detail: 'latency_ms = 250' } }],
      summary: 'latency_ms < 100 (latency_ms = 250)',
    });
  });

  test('fail, and then warn is not asked', () => {
    const verdict = judge(web, observation({ latencyMs: 250, fields: { status: 503 } }), NO_WINDOW);
    expect(verdict).toEqual({
      kind: 'fail',
      reason: 'http_status',
      decidedBy: [{ source: 'status == 200', result: { outcome: 'false', detail: 'status = 503' } }],
      summary: 'status == 200 (status = 503)',
    });
  });

  test('all false conditions are named, the first one gives the reason', () => {
    const strict = probe({ expect: ['ok', 'json.ready == true', 'status == 200'] });
    const verdict = judge(strict, observation({ fields: { status: 500, json: {} } }), NO_WINDOW);
    expect(verdict.reason).toBe('body');
    expect(verdict.decidedBy.map(({ source }) => source)).toEqual(['json.ready == true', 'status == 200']);
  });

  test('no conditions at all: the exchange decides', () => {
    expect(judge(probe({}), observation(), NO_WINDOW).kind).toBe('pass');
    expect(judge(probe({}), observation({ reason: 'tls' }), NO_WINDOW).kind).toBe('fail');
  });
});

describe('a failed exchange', () => {
  test.each(REASONS.filter((reason) => reason !== 'ok' && reason !== 'internal'))(
    '%s fails with that reason',
    (reason) => {
      const web = probe({ expect: ['status == 200'] });
      const verdict = judge(web, observation({ reason, error: 'it\n  broke', fields: { status: 200 } }), NO_WINDOW);
      expect(verdict).toEqual({ kind: 'fail', reason, decidedBy: [], summary: 'it broke' });
    },
  );

  test('no condition is evaluated after it', () => {
    const untouchable = { ...condition('ok'), evaluate: () => expect.unreachable('evaluated') };
    const web = { ...probe({}), expect: [untouchable], warn: [untouchable] };
    expect(judge(web, observation({ reason: 'dns' }), NO_WINDOW).summary).toBe('dns');
  });
});

describe('unknown', () => {
  test.each(['paused_process', 'blind', 'suspect', 'internal', 'witness_away'] as const)(
    '%s says nothing about the target',
    (unknown) => {
      const verdict = judge(
        probe({ expect: ['status == 200'] }),
        observation({ unknown, reason: 'timeout' }),
        NO_WINDOW,
      );
      expect(verdict).toEqual({ kind: 'unknown', reason: 'timeout', decidedBy: [], unknown, summary: unknown });
    },
  );

  test('a bug in the probe is unknown with its cause', () => {
    const verdict = judge(probe({}), observation({ reason: 'internal', error: 'boom' }), NO_WINDOW);
    expect(verdict).toMatchObject({ kind: 'unknown', unknown: 'internal', reason: 'internal', summary: 'boom' });
  });
});

describe('the reason of a false condition', () => {
  test.each([
    ['status == 200', 'http_status'],
    ['json.a == 1 && status == 200', 'http_status'],
    ['body.contains("x")', 'body'],
    ['json.ready == true', 'body'],
    ['latency_ms < 1', 'condition'],
    ['certificate.expires_in_days > 60', 'condition'],
    ['rows.size() > 3', 'condition'],
    ['rows.all(status, status == 1)', 'condition'],
  ])('%s: %s', (source, reason) => {
    const fields = { status: 500, json: {}, body: '', rows: [2], certificate: { expires_in_days: 30 } };
    expect(judge(probe({ expect: [source] }), observation({ fields }), NO_WINDOW).reason).toBe(reason);
  });

  test('a certificate that has expired has a reason of its own', () => {
    const expired = observation({ fields: { certificate: { expires_in_days: -1 } } });
    const soon = observation({ fields: { certificate: { expires_in_days: 0 } } });
    const web = probe({ expect: ['certificate.expires_in_days > 7'] });
    expect(judge(web, expired, NO_WINDOW).reason).toBe('certificate_expired');
    expect(judge(web, soon, NO_WINDOW).reason).toBe('condition');
  });

  test('a missing key is the fault of the target, never unknown', () => {
    const verdict = judge(probe({ expect: ['json.status == "up"'] }), observation({ fields: { json: {} } }), NO_WINDOW);
    expect(verdict).toMatchObject({
      kind: 'fail',
      reason: 'body',
      summary: 'json.status == "up" (json.status = missing)',
    });
  });
});

describe('windows', () => {
  const steady = probe({
    expect: ['status == 200', 'error_rate("5m") < 0.5'],
    warn: ['avg("latency_ms", "5m") < 100'],
  });

  test('no opinion passes and is shown', () => {
    const verdict = judge(steady, observation({ fields: { status: 200 } }), reading(undefined));
    expect(verdict.kind).toBe('pass');
    expect(verdict.decidedBy.map(({ source, result }) => [source, result.outcome])).toEqual([
      ['error_rate("5m") < 0.5', 'no_data'],
      ['avg("latency_ms", "5m") < 100', 'no_data'],
    ]);
  });

  test('error_rate counts failed exchanges and false conditions that do not look back', () => {
    expect(windowlessError(steady, observation({ fields: { status: 200 } }))).toBe(false);
    expect(windowlessError(steady, observation({ fields: { status: 500 } }))).toBe(true);
    expect(windowlessError(steady, observation({ reason: 'timeout', fields: { status: 200 } }))).toBe(true);
    expect(windowlessError(probe({ warn: ['status == 200'] }), observation({ fields: { status: 500 } }))).toBe(false);
  });

  test('a condition that also looks back is no windowless error, even when it is false without data', () => {
    const mixed = probe({ expect: ['error_rate("5m") < 0.5 && status == 200'] });
    expect(windowlessError(mixed, observation({ fields: { status: 500 } }))).toBe(false);
  });

  test('a run counts in its own window, and failing by error_rate does not keep the rate up', () => {
    const spec = windowSpecOf(steady);
    if (!spec) throw new Error('no window');
    const window = createWindow(spec);
    const kinds = [...Array(5).fill(200), ...Array(5).fill(500), ...Array(7).fill(200)].map((status, index) => {
      const seen = observation({ startedAt: index * 30_000, fields: { status } });
      const sample = sampleOf(seen, windowlessError(steady, seen), spec.numericPaths);
      if (sample) window.push(sample);
      return judge(steady, seen, window.reader(seen.startedAt)).kind;
    });
    expect(kinds).toEqual([...Array(5).fill('pass'), ...Array(10).fill('fail'), 'pass', 'pass']);
  });
});

describe('what is stored of a run', () => {
  test('only the scalars that conditions name, texts cut', () => {
    const web = probe({
      expect: ['status == 200', 'json.ready == true && size(json.items) > 0 && latency_ms < 5', 'reason == "ok" && ok'],
      warn: ['body.contains("x")', 'avg("perfdata.load", "5m") < 3', 'json.missing == 1', 'error == null'],
    });
    const seen = observation({
      fields: {
        status: 200,
        json: { ready: true, items: [1], other: 5 },
        body: 'b'.repeat(500),
        perfdata: { load: 0.5, x: 1 },
      },
    });
    expect(recordedValues(web, seen)).toEqual({
      status: 200,
      'json.ready': true,
      body: 'b'.repeat(64),
      'perfdata.load': 0.5,
    });
  });
});

describe('bindings', () => {
  test('no field of a type hides a common one', () => {
    expect(bindingsOf(observation({ fields: { reason: 'mine', ok: false, extra: 1 } }))).toEqual({
      ok: true,
      reason: 'ok',
      latency_ms: 12.5,
      error: null,
      extra: 1,
    });
  });

  test('a fix is chosen by the reason of the verdict', () => {
    const when = condition('reason in ["http_status"]', { windows: false });
    expect(when.evaluate(bindingsOf(observation(), 'http_status'), NO_WINDOW).outcome).toBe('true');
    expect(when.evaluate(bindingsOf(observation()), NO_WINDOW).outcome).toBe('false');
  });
});

describe('summaries', () => {
  test('are one line of bounded length', () => {
    const web = probe({ expect: ['status == 200 &&\n  body == "x"'] });
    const verdict = judge(web, observation({ fields: { status: 200, body: 'y\n'.repeat(500) } }), NO_WINDOW);
    expect(verdict.summary).toMatch(/^status == 200 && body == "x" \(status = 200, body = "y/);
    expect(verdict.summary).not.toContain('\n');
    const long = judge(probe({}), observation({ reason: 'protocol', error: 'e'.repeat(1_000) }), NO_WINDOW);
    expect(long.summary).toHaveLength(400);
  });
});
