import { describe, expect, test } from 'vitest';
import { ConditionError, compileCondition } from '../../src/engine/condition.ts';
import { REASONS } from '../../src/model.ts';
import { FIELDS, scope } from './judging.ts';

function fault(source: string, changed = {}): { message: string; at: string; offset: number } {
  try {
    compileCondition(source, scope(changed));
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    return { message: error.message, at: source.slice(error.offset, error.offset + 8), offset: error.offset };
  }
  throw new Error(`compiled: ${source}`);
}

/** Source, message, and what stands where the offset points. */
const FAULTS: readonly (readonly [source: string, message: string, at: string])[] = [
  ['statsu == 200', 'unknown field `statsu` (did you mean "status"?)', 'statsu'],
  ['ok && latency < 5', 'unknown field `latency` (did you mean "latency_ms"?)', 'latency'],
  ['quux == 1', 'unknown field `quux`', 'quux'],
  [
    'certificate.expires_in_day > 7',
    'unknown field `certificate.expires_in_day` (did you mean "certificate.expires_in_days"?)',
    'expires_',
  ],
  ['certificate.key.bit > 7', 'unknown field `certificate.key.bit` (did you mean "certificate.key.bits"?)', 'bit >'],
  [
    'certificate["subjct"] == "x"',
    'unknown field `certificate.subjct` (did you mean "certificate.subject"?)',
    '"subjct"',
  ],
  ['has(certificate.foo)', 'unknown field `certificate.foo`', 'foo'],
  ['status.code == 200', '`status` is one value (double) and has no parts', 'code'],
  ['rows.all(r, statu == r)', 'unknown field `statu` (did you mean "status"?)', 'statu'],
  ['int == 1', 'unknown field `int`', 'int'],

  ['status == "200"', 'wrong types: double == string', 'status'],
  ['ok && status > "5"', 'wrong types: double > string', 'status'],
  ['body + 1 == "x"', 'wrong types: string + int', 'body'],
  ['!status', 'wrong types: !double', '!status'],
  ['status in ["200"]', 'wrong types: double in list<string>', 'status'],
  ['status', 'the result must be true or false, but is double', 'status'],
  ['certificate', 'the result must be true or false, but is certificate', 'certific'],
  ['healthy ? 1 : 2', 'the result must be true or false, but is int', 'healthy'],
  ['status && ok', "logical operator requires bool operands, got 'double'", 'status'],

  ['foo(1) == 1', 'unknown function `foo`', 'foo'],
  ['avrg("latency_ms", "5m") < 3', 'unknown function `avrg` (did you mean "avg"?)', 'avrg'],
  ['body.contain("x")', 'unknown function `contain` (did you mean "contains"?)', 'body'],
  ['rows.al(r, r == 1)', 'unknown function `al` (did you mean "all"?)', 'rows'],
  ['cel.bind(x, 1, x == 1)', 'unknown function `bind`', 'cel'],
  ['timestamp("2024-01-01T00:00:00Z") == null', 'unknown function `timestamp`', 'timestam'],
  ['has(status)', 'has() takes a field inside another: has(json.version)', 'has'],
  ['has(headers["etag"])', 'has() takes a field inside another: has(json.version)', 'has'],
  ['has(json["a"].b)', 'has() takes a field inside another: has(json.version)', 'has'],
  ['rows.all(1, true)', 'all(var, predicate) invalid predicate iteration variable', '1'],
  ['b"x" == b"x"', 'bytes and unsigned numbers are not supported', 'b"x"'],
  ['status == 1u', 'bytes and unsigned numbers are not supported', '1u'],

  ['reason == "tiemout"', 'unknown reason `tiemout` (did you mean "timeout"?)', '"tiemout'],
  ['"conect_refused" != reason', 'unknown reason `conect_refused` (did you mean "connect_refused"?)', '"conect_'],
  ['reason in ["timeout", "dsn"]', 'unknown reason `dsn` (did you mean "dns"?)', '"dsn"'],

  ['body.matches("(")', 'invalid pattern: missing closing ): `(`', '"("'],
  ['body.matches("(?=x)")', 'invalid pattern: invalid or unsupported Perl syntax: `(?=`', '"(?=x)"'],
  ['body.matches(r"(a)\\1")', 'invalid pattern: invalid escape sequence: `\\1`', 'r"(a)'],
  ['body.matches("\\d")', 'invalid escape sequence: \\d; a pattern is written r"\\d+"', '\\d")'],
  ['body.matches(json.pattern)', 'matches() takes one pattern in quotes', 'body'],
  [`body.matches("${'(.{900}|'.repeat(5)}${')'.repeat(5)}")`, 'invalid pattern: the pattern is too large', '"(.{900}'],

  ['avg("latency", "5m") < 1', 'unknown field `latency` (did you mean "latency_ms"?)', '"latency'],
  ['avg("certificate.days", "5m") < 1', 'unknown field `certificate.days`', '"certifi'],
  ['avg("body", "5m") < 1', 'avg() takes a numeric field, and `body` is string', '"body"'],
  ['avg("rows", "5m") < 1', 'avg() takes a numeric field, and `rows` is list', '"rows"'],
  ['avg("certificate", "5m") < 1', 'avg() takes a numeric field, and `certificate` is structure', '"certifi'],
  ['avg(latency_ms, "5m") < 1', 'avg() takes texts in quotes: write avg("latency_ms", "5m")', 'latency_'],
  ['avg("latency_ms", body) < 1', 'avg() takes texts in quotes: write avg("latency_ms", "5m")', 'body'],
  ['avg("latency_ms") < 1', 'write avg("latency_ms", "5m")', 'avg'],
  ['avg("latency_ms", "5m", "x") < 1', 'write avg("latency_ms", "5m")', 'avg'],
  ['error_rate("latency_ms", "5m") < 1', 'write error_rate("5m")', 'error_ra'],
  ['avg("latency_ms", "5 minutes") < 1', '`5 minutes` is not a duration; write 30s, 5m or 1h30m', '"5 minut'],
  ['error_rate("0") < 1', '`0` is not a duration; write 30s, 5m or 1h30m', '"0"'],
  ['error_rate("59s") < 1', 'the window 59s holds less than two runs of every 30s; write at least 1m', '"59s"'],
  ['error_rate("7d") < 1', 'the window 7d holds too many runs of every 30s; write at most 6d22h', '"7d"'],

  ['', 'the condition is empty', ''],
  [' \n ', 'the condition is empty', ' \n '],
  ['// nothing', 'it ends too early', ''],
  ['status ==', 'it ends too early', ''],
  ['(status == 200', 'it ends too early', ''],
  ['status = 200', 'unexpected `=`; a comparison is written ==', '= 200'],
  ['ok and healthy', 'unexpected `and`; both is written &&', 'and'],
  ['ok or healthy', 'unexpected `or`; either is written ||', 'or'],
  ['status == 200)', 'unexpected `)`', ')'],
  ['ok constructor healthy', 'unexpected `constructor`', 'construc'],
  ['body == "x', 'unterminated string', '"x'],
  [`ok${' '.repeat(4_100)}`, 'longer than 4096 characters', ''],
  ['('.repeat(200), 'nested too deeply, or too long', '(((((((('],
  [`${'!'.repeat(1_000)}ok`, 'nested too deeply', '!!!!!!!!'],
  [`ok${' || ok'.repeat(500)}`, 'nested too deeply', 'ok || ok'],
];

describe('a wrong condition says what is wrong, where, and what was meant', () => {
  test.each(FAULTS)('%s', (source, message, at) => {
    const found = fault(source);
    expect(found.message).toBe(message);
    expect(found.at.startsWith(at)).toBe(true);
    expect(found.message).not.toContain('\n');
  });
});

describe('scopes', () => {
  test('where nothing is looked back on, windows are errors', () => {
    expect(fault('error_rate("5m") > 0.5', { windows: false }).message).toBe(
      'error_rate() looks back over time and cannot be used here',
    );
    expect(compileCondition('reason in ["timeout"] && status == 200', scope({ windows: false })).paths).toEqual([
      'reason',
      'status',
    ]);
  });

  test('on a calendar any window length is taken', () => {
    expect(compileCondition('error_rate("1s") < 1', scope({ everyMs: undefined })).windows).toHaveLength(1);
  });

  test('a window of exactly two runs is taken', () => {
    expect(compileCondition('error_rate("1m") < 1', scope()).windows).toHaveLength(1);
  });

  test('probe types with fields of the same name do not meet', () => {
    const other = { status: { type: 'string', summary: 'as a word' } } as const;
    expect(compileCondition('status == "up"', scope({ fields: other })).paths).toEqual(['status']);
    expect(fault('status == 200', { fields: other }).message).toBe('wrong types: string == int');
    expect(compileCondition('status == 200', scope({ fields: FIELDS })).paths).toEqual(['status']);
  });

  test('every reason may be named', () => {
    for (const reason of REASONS) compileCondition(`reason == "${reason}"`, scope());
  });

  test('the location goes through untouched', () => {
    const location = { file: 'probes/a.yaml', line: 7, column: 9 };
    expect(compileCondition('ok', scope({ location })).location).toEqual(location);
  });
});
