import { describe, expect, test } from 'vitest';
import { NO_WINDOW } from '../../src/engine/condition.ts';
import type { Fields, WindowReader } from '../../src/model.ts';
import { bindings, condition } from './judging.ts';

const SEEN: Fields = {
  status: 200,
  body: 'Hello, World',
  healthy: true,
  headers: { 'content-type': 'text/html; charset=utf-8' },
  rows: [
    { name: 'a', lag: 1 },
    { name: 'b', lag: 9 },
  ],
  json: { status: 'operational', version: null, items: [1, 2, 3], 'dotted.key': 1, nested: { deep: [{ ok: true }] } },
  certificate: { expires_in_days: 30, subject: 'example' },
};

function outcome(source: string, fields: Fields = SEEN, window: WindowReader = NO_WINDOW) {
  return condition(source).evaluate(bindings(fields), window).outcome;
}

describe('numbers mix freely', () => {
  test.each([
    'status == 200',
    '200 == status',
    'status != 500',
    'status == 200.0',
    'status in [200, 204]',
    'status in [200.0, 204.0]',
    '1 + latency_ms > 13',
    'latency_ms * 2 == 25',
    '1 + status == 201',
    'status % 2 == 0',
    'status / 8 == 25',
    '-status < 0',
    'size(rows) == 2',
    'rows.size() / 4 == 0.5',
    'size(body) < latency_ms',
    'json.items[0] == 1',
    '2 in json.items',
    'status >= 200 && status < 300',
  ])('%s', (source) => expect(outcome(source)).toBe('true'));
});

describe('the language', () => {
  test.each([
    'ok && healthy && reason == "ok"',
    'body.contains("World") && body.startsWith("Hello") && body.endsWith("World")',
    'body.lowerAscii() == "hello, world" && body.upperAscii().size() == 12',
    'body.split(", ")[1] == "World"',
    'body.split(",", 1)[0] == body',
    '["a", "b"].join("-") == "a-b"',
    'body.substring(7) == "World" && body.substring(0, 5) == "Hello"',
    'body.indexOf("World") == 7 && body.lastIndexOf("o") == 8',
    '"  x ".trim() == "x"',
    'size("naïve 🎉") == 7',
    'body.matches("^H.*d$") && body.matches(r"\\w+, \\w+") && !body.matches("^World")',
    'double("1.5") == 1.5 && int("7") == 7 && int(7.9) == 7 && string(status) == "200" && bool("true")',
    'headers["content-type"].startsWith("text/html")',
    '"content-type" in headers && !("etag" in headers)',
    'rows.all(r, r.lag < 10) && rows.exists(r, r.lag == 9) && rows.exists_one(r, r.name == "a")',
    'rows.filter(r, r.lag > 5).size() == 1 && rows.map(r, r.name) == ["a", "b"]',
    'rows.map(r, r.lag > 5, r.name) == ["b"]',
    'rows.all(r, rows.exists(s, s.lag == r.lag))',
    'headers.exists(name, name.startsWith("content"))',
    'status == 200 ? healthy : false',
    '{"a": status, "b": 1.0}.a == 200',
    'json.items + [4] == [1, 2, 3, 4]',
    'json == json && json.nested.deep[0].ok',
    'json["status"] == "operational" && json["dotted.key"] == 1',
    'json.items[size(json.items) - 1] == 3',
    '"b" < "c" && "b" >= "b"',
    'status == 200 // only this',
  ])('%s', (source) => expect(outcome(source)).toBe('true'));

  test.each([
    'status == 500',
    '!healthy',
    'json.status == "down"',
    'rows.all(r, r.lag < 5)',
    'body.matches("^world")',
    '[1, 2] == [1, 2, 3]',
    '{"a": 1} == {"b": 1}',
  ])('false: %s', (source) => expect(outcome(source)).toBe('false'));
});

describe('what the target left out makes a condition false, however it is phrased', () => {
  test.each([
    'json.missing == 1',
    'json.missing != 1',
    '!(json.missing == 1)',
    'json.missing.deeper > 1',
    'json.items[7] == 1',
    'json.missing == null',
    'json.version.major == 1',
    'json.status.contains("x") && json.nothing.contains("x")',
    'size(json.missing) == 0',
    'json.missing in ["a"]',
    '!(json.missing in ["a"])',
    'headers.etag == "x"',
    'rows.all(r, r.nothing == 1)',
    'rows.exists_one(r, r.nothing == 1)',
    'rows.filter(r, r.nothing == 1).size() == 0',
    'rows.map(r, r.nothing).size() == 2',
    'json.missing ? true : true',
    'json.status > 5',
    'json.status - 1 == 0',
    'json.constructor == json.constructor',
    'json.__proto__ == json.__proto__',
    'json.items.length == 3',
    'double(json.status) > 0',
    'json.status',
    '!json.status',
  ])('%s', (source) => expect(outcome(source)).toBe('false'));

  test.each([
    'json.missing == 1 || status == 200',
    'status == 200 || json.missing == 1',
    'rows.exists(r, r.lag == 9 || r.nothing == 1)',
    '!has(json.missing) || json.missing == 1',
  ])('but a side of || that is true decides: %s', (source) => expect(outcome(source)).toBe('true'));

  test('a side of || that is missing does not turn a false one into true', () => {
    expect(outcome('json.missing == 1 || status == 500')).toBe('false');
    expect(outcome('!(json.missing == 1 && status == 200)')).toBe('false');
  });
});

describe('declared fields that are absent are null', () => {
  test.each([
    'status == null',
    'certificate == null',
    'certificate.subject == null',
    'error == null',
    'null == status',
  ])('%s', (source) => expect(outcome(source, {})).toBe('true'));

  test.each([
    'status > 5',
    'status < 5',
    'status == 200',
    'status != 200',
    '!(status == 200)',
    'status + 1 > 0',
    'certificate.expires_in_days > 7',
    'certificate.key.bits >= 2048',
    'body.contains("x")',
    'size(body) == 0',
    'error.contains("x")',
    'certificate != null',
    'status in [200]',
    'rows.all(r, true)',
    'headers["x"] == "y"',
    'healthy',
    '!healthy',
  ])('no null takes part in a comparison: %s is false', (source) => expect(outcome(source, {})).toBe('false'));

  test('has() sees what is there and not null', () => {
    expect(outcome('has(json.status) && has(certificate.subject) && has(json.nested.deep)')).toBe('true');
    expect(outcome('has(json.version) || has(json.nested.missing) || has(certificate.key)')).toBe('false');
    expect(outcome('has(certificate.subject)', {})).toBe('false');
  });
});

describe('windows', () => {
  const reading = (value: number | undefined): WindowReader => ({ read: () => value });

  test('a reading is a number like others', () => {
    expect(outcome('avg("latency_ms", "5m") < 200', SEEN, reading(100))).toBe('true');
    expect(outcome('avg("latency_ms", "5m") < 200', SEEN, reading(312))).toBe('false');
    expect(outcome('error_rate("5m") == 0', SEEN, reading(0))).toBe('true');
    expect(outcome('latency_ms < 3 * avg("latency_ms", "5m")', SEEN, reading(10))).toBe('true');
  });

  test.each([
    ['avg("latency_ms", "5m") < 200', 'no_data'],
    ['!(avg("latency_ms", "5m") < 200)', 'no_data'],
    ['avg("latency_ms", "5m") < 200 && status == 200', 'no_data'],
    ['status == 500 || avg("latency_ms", "5m") < 200', 'no_data'],
    ['json.missing == 1 || avg("latency_ms", "5m") < 200', 'no_data'],
    ['avg("latency_ms", "5m") < 200 ? true : true', 'no_data'],
    ['rows.all(r, r.lag < avg("latency_ms", "5m"))', 'no_data'],
    ['avg("latency_ms", "5m") < 200 && status == 500', 'false'],
    ['status == 500 && avg("latency_ms", "5m") < 200', 'false'],
    ['avg("latency_ms", "5m") < 200 && json.missing == 1', 'false'],
    ['avg("latency_ms", "5m") < json.missing', 'false'],
    ['avg("latency_ms", "5m") < 200 || status == 200', 'true'],
  ])('without data %s is %s', (source, expected) => expect(outcome(source, SEEN, reading(undefined))).toBe(expected));

  test('the uses are known when the file is read, each once', () => {
    const { windows, paths } = condition(
      'p95("perfdata.load1", "1h") < 3 && error_rate("5m") < 0.1 && error_rate("5m") < p95("perfdata.load1", "60m")',
    );
    expect(windows).toEqual([
      { function: 'p95', field: 'perfdata.load1', spanMs: 3_600_000 },
      { function: 'error_rate', spanMs: 300_000 },
    ]);
    expect(paths).toEqual([]);
  });
});

describe('what is read', () => {
  test('paths are dotted, whole and without variables of macros', () => {
    const source =
      'status == 200 && certificate.key.bits > 1 && json["a"].b[0] == 1 && rows.all(status, status.lag < latency_ms) && has(json.c)';
    expect(condition(source).paths).toEqual([
      'status',
      'certificate.key.bits',
      'json.a.b.0',
      'rows',
      'latency_ms',
      'json.c',
    ]);
  });

  test('the detail shows the values that decided, on one line', () => {
    const detail = (source: string, value?: number) =>
      condition(source).evaluate(bindings({ ...SEEN, status: 503 }), { read: () => value }).detail;
    expect(detail('status == 200')).toBe('status = 503');
    expect(detail('status == 200 || json.status == "x"')).toBe('status = 503, json.status = "operational"');
    expect(detail('avg("latency_ms", "5m") < 5', 312)).toBe('avg("latency_ms", "5m") = 312');
    expect(detail('error_rate("5m") < 0.1')).toBe('error_rate("5m") = no_data');
    expect(detail('error_rate("5m") < 0.1', 1 / 3)).toBe('error_rate("5m") = 0.333333');
    expect(detail('json.missing == 1')).toBe('json.missing = missing');
    expect(detail('error == "x" && rows.size() == 1 && json == 1')).toBe('error = null, rows = [2 items], json = {…}');
  });

  test('long values are cut, line breaks shown as such', () => {
    const { detail } = condition('body == "x"').evaluate(bindings({ body: `a\n${'b'.repeat(5_000)}` }), NO_WINDOW);
    expect(detail).toMatch(/^body = "a\\nb+…$/);
    expect(detail.length).toBeLessThanOrEqual('body = '.length + 120);
  });
});
