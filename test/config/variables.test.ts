import { describe, expect, test } from 'vitest';
import { homeWith, load, loadHome, only, problems, type Variables } from './homes.ts';

const tcp = (options: string, rest = '') => ({
  'probes/a.yaml': `probes:\n  - name: port\n    tcp: ${options}\n${rest}`,
});
const PORT = `\${PORT}`;
const specOf = async (options: string, environment: Variables = {}) =>
  only((await load(tcp(options), environment)).probes).spec as Record<string, unknown>;

describe('a substitution', () => {
  test('that is all of a value becomes the number that is wanted', async () => {
    expect(await specOf(`{ host: h, port: "${PORT}" }`, { PORT: '8080' })).toMatchObject({ host: 'h', port: 8080 });
  });

  test('that is all of a value becomes the boolean that is wanted', async () => {
    const { probes } = await load(tcp('{ host: h, port: 1 }', `    paused: "\${STOP}"\n`), { STOP: 'true' });
    expect(only(probes).paused).toBe(true);
  });

  test('that is all of a value becomes the list that is wanted', async () => {
    const files = {
      'remediations/a.yaml': `remediations:\n  - name: fix\n    exec: { argv: "\${COMMAND}" }\n`,
    };
    const { remediations } = await load(files, { COMMAND: '/bin/echo, one,two' });
    expect(only(remediations).spec).toMatchObject({ argv: ['/bin/echo', 'one', 'two'] });
  });

  test('stays text where text is wanted', async () => {
    expect(await specOf(`{ host: "${PORT}", port: 1 }`, { PORT: '8080' })).toMatchObject({ host: '8080' });
  });

  test('can never become structure', async () => {
    const value = 'h", port: 2 }\n  - name: other';
    expect(await specOf(`{ host: "${PORT}", port: 1 }`, { PORT: value })).toMatchObject({ host: value, port: 1 });
  });

  test('takes its default when the variable is unset or empty', async () => {
    const options = `{ host: "\${HOST:-fallback}", port: "\${PORT:-81}" }`;
    expect(await specOf(options)).toMatchObject({ host: 'fallback', port: 81 });
    expect(await specOf(options, { HOST: '', PORT: '' })).toMatchObject({ host: 'fallback', port: 81 });
    expect(await specOf(options, { HOST: 'set', PORT: '82' })).toMatchObject({ host: 'set', port: 82 });
  });

  test('may be part of a value, several times', async () => {
    expect(await specOf(`{ host: "a\${X}b\${Y:-y}", port: 1 }`, { X: 'x' })).toMatchObject({ host: 'axby' });
  });

  test('is escaped by a second dollar sign', async () => {
    expect(await specOf(`{ host: "$\${HOST}", port: 1 }`)).toMatchObject({ host: `\${HOST}` });
  });

  test('with an empty default stands for an absent option where empty text is not taken', async () => {
    expect(only((await load(tcp('{ host: h, port: 1 }', `    title: "\${TITLE:-}"\n`))).probes).title).toBe('port');
    expect((await load({ 'brainstem.yml': `http: { token: "\${TOKEN:-}" }\n` })).settings.http).not.toHaveProperty(
      'token',
    );
  });

  test('in a condition is compiled into it', async () => {
    const { probes } = await load(tcp('{ host: h, port: 1 }', `    expect: ["latency_ms < \${LIMIT}"]\n`), {
      LIMIT: '250',
    });
    expect(only(probes).expect[0]?.source).toBe('latency_ms < 250');
  });
});

describe('an unset variable', () => {
  test('makes a probe unconfigured, with every name, and is no error', async () => {
    const { probes } = await load(tcp(`{ host: "\${HOST}", port: "\${PORT}" }`, `    labels: { team: "\${TEAM}" }\n`));
    expect(only(probes)).toMatchObject({ spec: undefined, target: '', unset: ['HOST', 'PORT', 'TEAM'] });
  });

  test('makes a remediation and a notifier unconfigured', async () => {
    const { remediations, notifiers } = await load({
      'brainstem.yml': `notifiers: { bus: { webhook: { url: "\${HOOK}" } } }\n`,
      'remediations/a.yaml': `remediations:\n  - name: fix\n    docker: { restart: "\${CONTAINER}" }\n`,
    });
    expect(only(remediations).unset).toEqual(['CONTAINER']);
    expect(only(notifiers).unset).toEqual(['HOOK']);
  });

  test('in the defaults of a file counts for the probes that do not replace it', async () => {
    const { probes } = await load({
      'probes/a.yaml': [
        `defaults: { runbook: "\${WIKI}/run" }`,
        'probes:',
        '  - { name: one, tcp: { host: h, port: 1 } }',
        '  - { name: two, tcp: { host: h, port: 1 }, runbook: here }',
        '',
      ].join('\n'),
    });
    expect([...probes.values()].map(({ unset }) => unset)).toEqual([['WIKI'], []]);
  });

  test('is still an error in the settings of the daemon', async () => {
    expect(await problems({ 'brainstem.yml': `log: { level: "\${LEVEL}" }\n` })).toHaveLength(1);
  });
});

describe('variables', () => {
  test('come from .env, over which the environment wins unless it is empty', async () => {
    const files = {
      ...tcp(`{ host: "\${HOST}", port: "\${PORT}" }`),
      '.env': '# a comment\nexport HOST="from file"\nPORT=81\n',
    };
    const specs = async (environment: Variables) => only((await load(files, environment)).probes).spec;
    expect(await specs({})).toMatchObject({ host: 'from file', port: 81 });
    expect(await specs({ HOST: 'from environment', PORT: '' })).toMatchObject({ host: 'from environment', port: 81 });
  });

  test('named like parts of an object are as unset as any other', async () => {
    const { probes } = await load(tcp(`{ host: "\${constructor}\${__proto__}", port: 1 }`));
    expect(only(probes).unset).toEqual(['__proto__', 'constructor']);
  });
});

describe('the content of a file', () => {
  test('fills a value without its line end, and is secret', async () => {
    const home = await homeWith({ 'secret.txt': 'from-a-file\n', ...tcp(`{ host: "\${file:secret.txt}", port: 1 }`) });
    const { probes, secrets } = await loadHome(home);
    expect(only(probes).spec).toMatchObject({ host: 'from-a-file' });
    expect(secrets).toContain('from-a-file');
  });

  test('that is not there makes the probe unconfigured, or gives way to a default', async () => {
    expect(only((await load(tcp(`{ host: "\${file:/nowhere/x}", port: 1 }`))).probes).unset).toEqual([
      'file:/nowhere/x',
    ]);
    expect(await specOf(`{ host: "\${file:/nowhere/x:-h}", port: 1 }`)).toMatchObject({ host: 'h' });
  });

  test('is refused from a device, which could block for ever', async () => {
    expect(await problems(tcp(`{ host: "\${file:/dev/zero}", port: 1 }`))).toEqual([
      '/dev/zero:1:1: is not a regular file',
    ]);
  });
});

describe('secrets are', () => {
  const word = (...parts: string[]) => parts.join('-');

  test('what fills a secret option, also within a longer text', async () => {
    const files = {
      'probes/a.yaml': [
        'probes:',
        '  - name: web',
        '    http:',
        '      url: "http://127.0.0.1/"',
        `      headers: { Authorization: "Bearer \${TOKEN}" }`,
        '  - name: job',
        `    heartbeat: { key: "\${KEY}", period: 1d }`,
        '',
      ].join('\n'),
    };
    const environment = { TOKEN: word('bearer', 'value'), KEY: word('heartbeat', 'value') };
    const { secrets } = await load(files, environment);
    expect(secrets).toEqual(['Bearer bearer-value', 'bearer-value', 'heartbeat-value']);
  });

  test('the password of any URL, as written and decoded, but not the name beside it', async () => {
    const url = `http://someone:${word('pass', 'w%2Frd')}@127.0.0.1/`;
    const { secrets } = await load({ 'probes/a.yaml': `probes:\n  - name: web\n    http: { url: "${url}" }\n` });
    expect(secrets).toEqual(['pass-w%2Frd', 'pass-w/rd']);
  });

  test('a password with an @ that nobody encoded, to the last one before the path', async () => {
    const url = `http://someone:${word('pass', 'w@rd')}@127.0.0.1/a@b`;
    const { secrets } = await load({ 'probes/a.yaml': `probes:\n  - name: web\n    http: { url: "${url}" }\n` });
    expect(secrets).toEqual(['pass-w@rd']);
  });

  test('a token that stands alone in the userinfo of a URL', async () => {
    const url = `http://${word('only', 'token')}@127.0.0.1/`;
    const { secrets } = await load({ 'probes/a.yaml': `probes:\n  - name: web\n    http: { url: "${url}" }\n` });
    expect(secrets).toEqual(['only-token']);
  });

  test('kept out of every message', async () => {
    const value = word('very', 'secret');
    const files = {
      'brainstem.yml': `notifiers: { bus: { webhook: { url: "nowhere", secret: [${value}] } } }\n`,
      'probes/a.yaml': `probes:\n  - name: web\n    http: { url: "ftp://me:${value}@127.0.0.1/", method: "\${M}" }\n`,
    };
    const lines = await problems(files, { M: value });
    expect(lines.length).toBeGreaterThanOrEqual(4);
    expect(lines.join('\n')).not.toContain(value);
  });

  test('doubtful when they are too short to be redacted', async () => {
    const { warnings } = await load({ 'brainstem.yml': `http: { token: "\${T}" }\n` }, { T: 'short' });
    expect(warnings).toEqual([
      {
        location: { file: 'brainstem.yml', line: 1, column: 16 },
        message: 'a secret shorter than 6 characters cannot be redacted',
      },
    ]);
  });
});
