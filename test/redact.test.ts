import { expect, test } from 'vitest';
import { createRedactor, hiding, REDACTED, redactAll } from '../src/redact.ts';

const secret = ['pa ss', 'w/rd"\\', "<&>'é"].join('+');

function redactorFor(...secrets: string[]) {
  const redactor = createRedactor();
  redactor.use(secrets);
  return redactor;
}

test('hides a secret in each form in which it travels', () => {
  const { redact } = redactorFor(secret);
  const url = new URL('http://host/');
  url.password = secret;
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase().replace('%c3%a9', '%c3%a9'),
    new URLSearchParams({ q: secret }).toString().slice(2),
    url.password,
    secret
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', '&quot;')
      .replaceAll("'", '&#39;'),
  ];
  for (const form of forms) expect(redact(`a=${form};`)).toBe(`a=${REDACTED};`);
});

test('hides the base64 of a secret at every alignment', () => {
  const { redact } = redactorFor(secret);
  for (const before of ['', 'a', 'ab', 'user:', 'user1:', 'user12:']) {
    const text = Buffer.from(`${before}${secret} and more`).toString('base64');
    const seen = redact(text);
    expect(seen).toContain(REDACTED);
    const left = seen.split(REDACTED).map((part) => Buffer.from(part, 'base64').toString());
    for (const part of left) expect(part).not.toContain(secret.slice(0, 3));
  }
});

test('hides the longest of two secrets that contain each other', () => {
  expect(redactorFor('abcdef', 'abcdefghij').redact('xabcdefghijx')).toBe(`x${REDACTED}x`);
});

test('leaves words alone: values under six characters and empty ones are not hidden', () => {
  expect(redactorFor('', '   ', 'on', 'admin').redact('admin is on')).toBe('admin is on');
});

test('forgets the values of the configuration before', () => {
  const redactor = redactorFor('first-value');
  redactor.use(['second-value']);
  expect(redactor.redact('first-value second-value')).toBe(`first-value ${REDACTED}`);
});

test('hides the value of a file that ends in a newline', () => {
  expect(redactorFor('from-a-file\n').redact('got from-a-file.')).toBe(`got ${REDACTED}.`);
});

test('hides what was cut off in the middle of a secret, unless less than half of it is left', () => {
  const { redact } = redactorFor('first-half-other', 'abcdefgh');
  expect(redact('it said first-half')).toBe(`it said ${REDACTED}`);
  expect(redact('it said first-h')).toBe('it said first-h');
  expect(redact('it said first-half, and more')).toBe('it said first-half, and more');
  expect(redact('it said abcdef')).toBe(`it said ${REDACTED}`);
  expect(redact('it said first-half… (1045)')).toBe(`it said ${REDACTED}… (1045)`);
  expect(redact('it said first-half\n… 9 bytes omitted …\n')).toBe(`it said ${REDACTED}\n… 9 bytes omitted …\n`);
});

test('hides a long beginning wherever it stands', () => {
  const token = Array.from({ length: 100 }, (_, at) => String.fromCharCode(97 + ((at * 7) % 26))).join('');
  const { redact } = redactorFor(token);
  expect(redact(`<${token.slice(0, 70)}>`)).toBe(`<${REDACTED}>`);
  expect(redact(`<${token.slice(0, 40)}>`)).toBe(`<${token.slice(0, 40)}>`);
});

test('hides what other languages make of it in JSON', () => {
  const { redact } = redactorFor('abc/def+ä"x');
  for (const form of ['abc\\/def+ä\\"x', 'abc/def+\\u00e4\\"x', 'abc\\/def+\\u00e4\\"x'])
    expect(redact(form)).toBe(REDACTED);
});

test('hides single lines of a value that has several, but not the words around them', () => {
  const lines = ['-----BEGIN SOMETHING-----', 'QUJDREVGR0hJSktM', 'short', '-----END SOMETHING-----'];
  const { redact } = redactorFor(lines.join('\n'));
  expect(lines.map(redact)).toEqual([lines[0], REDACTED, 'short', lines[3]]);
});

test('finds the same as one look for each value, in texts full of almost the same', () => {
  const values = ['aaaaaa', 'aaaabaaa', 'abababab', 'aaaaaaaaaaaaab'];
  const { redact } = redactorFor(...values);
  const naive = new RegExp([...values].sort((one, other) => other.length - one.length).join('|'), 'g');
  for (let seed = 1; seed <= 500; seed += 1) {
    const text = Array.from({ length: 60 }, (_, at) => ((seed * 7_919 + at * at * 31 + seed * at) % 5 < 4 ? 'a' : 'b'));
    const said = `${text.join('')}.....`;
    expect(redact(said)).toBe(said.replace(naive, REDACTED));
  }
});

test('reads 1 MiB against 200 secrets without hanging', () => {
  const { redact } = redactorFor(...Array.from({ length: 200 }, (_, index) => `${index}-secret-${'a'.repeat(20)}`));
  const started = performance.now();
  redact('a'.repeat(1 << 20));
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('a text that nearly holds values that begin alike costs no more', () => {
  const { redact } = redactorFor(
    ...Array.from({ length: 2_000 }, (_, index) => `aaaaaaXY${String(index).padStart(5, '0')}`),
  );
  const started = performance.now();
  redact('a'.repeat(1 << 20));
  redact('aaaaaaXY'.repeat(1 << 17));
  // Every value was tried at every place: minutes.
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('hides what one run learnt, besides what is configured', () => {
  const { redact } = redactorFor('configured');
  const seen = hiding(redact, { hidden: ['minted-1', 'minted-2'] });
  expect(seen('configured minted-1 minted-2 rest')).toBe(`${REDACTED} ${REDACTED} ${REDACTED} rest`);
  expect(hiding(redact, {})('configured minted-1')).toBe(`${REDACTED} minted-1`);
});

test('hides in all that a target said, its keys included', () => {
  const { redact } = redactorFor('configured');
  const said = { name: 'configured', 'a configured key': [{ deep: 'configured' }, 1, null, 7n], other: true };
  expect(redactAll(said, redact)).toEqual({
    ...{ name: REDACTED, [`a ${REDACTED} key`]: [{ deep: REDACTED }, 1, null, 7n], other: true },
  });
});
