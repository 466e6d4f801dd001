/** The commands that work on definitions alone: validate, schema, explain, init. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { doctor } from '../../src/cli/doctor.ts';
import { explain } from '../../src/cli/explain.ts';
import { init } from '../../src/cli/init.ts';
import type { CliIo } from '../../src/cli/io.ts';
import { schema } from '../../src/cli/schema.ts';
import { validate } from '../../src/cli/validate.ts';
import { NotFoundError, UsageError } from '../../src/errors.ts';
import { homeWith } from '../config/homes.ts';

function terminal(environment: Readonly<Record<string, string>> = {}) {
  const written = { out: '', err: '' };
  const io: CliIo = {
    out: (text) => {
      written.out += text;
    },
    err: (text) => {
      written.err += text;
    },
    environment,
    isTerminal: false,
    color: false,
  };
  return { io, written };
}

const WEB = `probes:\n  - name: web\n    http: { url: "\${WEB_URL}" }\n`;

describe('validate', () => {
  test('says what a valid home holds, and what is still unset', async () => {
    const home = await homeWith({ 'probes/a.yaml': WEB });
    const { io, written } = terminal();
    expect(await validate({ paths: [], home, json: false }, io)).toBe(0);
    const waiting = '1 of them is unconfigured: 1 variable is not set\n  probes/a.yaml\n    WEB_URL: web\n';
    expect(written).toEqual({ out: `${home} is valid: 1 probe, 0 remediations, 0 notifiers\n${waiting}`, err: '' });
  });

  test.each(['brainstem.yml', 'blackbox.yml', 'credentials.yaml', '.env'])('looks at %s alone, too', async (file) => {
    const home = await homeWith({ 'probes/a.yaml': WEB, [file]: '' });
    const { io, written } = terminal();
    expect(await validate({ paths: [join(home, file)], home, json: false }, io)).toBe(0);
    expect(written).toMatchObject({ out: expect.stringContaining(`${home} is valid`), err: '' });
  });

  test('is told when a file is none of those that a home loads', async () => {
    const home = await homeWith({ 'probes/a.yaml': WEB, 'notes.txt': '' });
    const { io } = terminal();
    const asked = validate({ paths: [join(home, 'notes.txt')], home, json: false }, io);
    await expect(asked).rejects.toThrow(/notes\.txt is none of the files that the home/);
  });

  test('names what is unset file by file, together what waits for the same, in lines that a terminal holds', async () => {
    const many = Array.from(
      { length: 20 },
      (_, index) => `  - { name: shop-page-${index}, http: { url: "\${SHOP}" } }\n`,
    );
    const home = await homeWith({
      'brainstem.yml': 'notifiers: { bus: { webhook: { url: "${BUS}" } } }\n',
      'probes/a.yaml': WEB,
      'probes/b.yaml': `probes:\n${many.join('')}  - { name: db, postgres: { url: "\${DB}" }, group: "\${SHOP}" }\n`,
    });
    const { io, written } = terminal();
    await validate({ paths: [], home, json: false }, io);
    const [, counts, ...lines] = written.out.trimEnd().split('\n');
    expect(counts).toBe('23 of them are unconfigured: 4 variables are not set');
    expect(lines.filter((line) => !line.startsWith('      '))).toEqual([
      '  brainstem.yml',
      '    BUS: bus',
      '  probes/a.yaml',
      '    WEB_URL: web',
      '  probes/b.yaml',
      expect.stringMatching(/^ {4}SHOP: shop-page-0, shop-page-1, .*,$/),
      '    DB, SHOP: db',
    ]);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(100);
    const one = terminal();
    await validate({ paths: [join(home, 'probes/a.yaml')], home, json: false }, one.io);
    expect(one.written.out).toContain('1 of them is unconfigured: 1 variable is not set\n  probes/a.yaml\n');
  });

  test('takes variables from the environment', async () => {
    const home = await homeWith({ 'probes/a.yaml': WEB });
    const { io, written } = terminal({ WEB_URL: 'nowhere' });
    expect(await validate({ paths: [], home, json: false }, io)).toBe(1);
    expect(written.err).toContain('(its value comes from WEB_URL)');
  });

  test('names every error of every file, in order', async () => {
    const home = await homeWith({
      'brainstem.yml': 'htp: {}\n',
      'probes/a.yaml': `${WEB}    colour: blue\n    expct: [ok]\n`,
    });
    const { io, written } = terminal();
    expect(await validate({ paths: [], home, json: false }, io)).toBe(1);
    expect(written.err).toBe(
      [
        'brainstem.yml:1:1: unknown key "htp" (did you mean "http"?)',
        'probes/a.yaml:4:5: unknown key "colour"',
        'probes/a.yaml:5:5: unknown key "expct" (did you mean "expect"?)',
        `3 problems in ${home}\n`,
      ].join('\n'),
    );
  });

  test('of one file tells only its errors, but knows the rest of its home', async () => {
    const home = await homeWith({
      'probes/a.yaml': `${WEB}    depends_on: [shop]\n`,
      'probes/shop.yaml': WEB.replace('web', 'shop'),
      'remediations/broken.yaml': 'remediations: 1\n',
    });
    const { io } = terminal();
    expect(await validate({ paths: [join(home, 'probes/a.yaml')], home: '.', json: false }, io)).toBe(0);
    expect(await validate({ paths: [join(home, 'remediations/broken.yaml')], home: '.', json: false }, io)).toBe(1);
  });

  test('of several homes fails when one of them does', async () => {
    const paths = [await homeWith({}), await homeWith({ 'brainstem.yml': 'x: 1\n' })];
    expect(await validate({ paths, home: '.', json: false }, terminal().io)).toBe(1);
  });

  test('as JSON tells the same', async () => {
    const home = await homeWith({ 'probes/a.yaml': `${WEB}    colour: blue\n` });
    const { io, written } = terminal();
    expect(await validate({ paths: [home], home: '.', json: true }, io)).toBe(1);
    expect(JSON.parse(written.out)).toMatchObject([
      { valid: false, problems: [{ file: 'probes/a.yaml', line: 4, column: 5, message: 'unknown key "colour"' }] },
    ]);
  });

  test('of a file that no home loads is a usage error, not a quiet yes', async () => {
    const home = await homeWith({ 'probes/a.yaml': WEB, 'probes/notes.txt': '' });
    const paths = [join(home, 'probes/notes.txt')];
    await expect(validate({ paths, home, json: false }, terminal().io)).rejects.toThrow(UsageError);
  });

  test('of a home that is not there says so', async () => {
    const { io, written } = terminal();
    expect(await validate({ paths: [], home: '/nowhere/at/all', json: false }, io)).toBe(1);
    expect(written.err).toContain('there is no such folder');
  });

  test('of a path that is not there is a usage error', async () => {
    await expect(validate({ paths: ['/nowhere'], home: '.', json: false }, terminal().io)).rejects.toThrow(UsageError);
  });
});

describe('doctor', () => {
  const UPLINK =
    'probes: [{ name: ping, icmp: { host: "${UPLINK}" } }, { name: dns, paused: true, icmp: { host: 127.0.0.1 } }]\n';
  const VANTAGE = { 'brainstem.yml': 'healing: { vantage: [ping, dns] }\n', 'probes/uplink.yaml': UPLINK };

  async function findings(files: Parameters<typeof homeWith>[0], environment: Readonly<Record<string, string>> = {}) {
    const { io, written } = terminal(environment);
    await doctor({ home: await homeWith(files), json: true }, io);
    return JSON.parse(written.out) as { level: string; text: string }[];
  }
  const about = (all: readonly { text: string }[], word: string) => all.filter(({ text }) => text.includes(word));

  test('says once that nobody checks for blindness, and why those do not that are named', async () => {
    expect(about(await findings(VANTAGE), 'blindness')).toEqual([
      {
        level: 'warning',
        text:
          'blindness is not checked, so a dead uplink looks like dead targets: no probe of healing.vantage runs: ' +
          'ping is unconfigured, UPLINK is not set; dns is paused',
      },
    ]);
    expect(about(await findings({}), 'blindness')).toMatchObject([{ text: expect.stringContaining('name probes in') }]);
  });

  test('says who checks for blindness, and who of them does not run', async () => {
    const all = await findings(VANTAGE, { UPLINK: '127.0.0.1' });
    expect(about(all, 'vantage')).toEqual([
      { level: 'ok', text: 'blindness is checked by 1 vantage probe' },
      { level: 'warning', text: 'a vantage probe does not run: dns is paused' },
    ]);
  });

  test('counts what is valid and what is unconfigured, in the singular where it is one', async () => {
    const all = (await findings({ 'probes/a.yaml': WEB })).map(({ text }) => text);
    expect(all).toContain('valid: 1 probe, 0 remediations, 0 notifiers');
    expect(all).toContain('1 of them is unconfigured: 1 variable is not set; `brainstem validate` names them');
  });
});

describe('schema', () => {
  test('prints one, or all of them', async () => {
    const one = terminal();
    expect(await schema({ name: 'probes' }, one.io)).toBe(0);
    expect(JSON.parse(one.written.out)).toMatchObject({ title: 'A file under probes/' });
    const all = terminal();
    await schema({}, all.io);
    expect(Object.keys(JSON.parse(all.written.out))).toEqual(['brainstem', 'probes', 'remediations', 'credentials']);
  });

  test('of an unknown name is a usage error', async () => {
    await expect(schema({ name: 'toString' }, terminal().io)).rejects.toThrow(UsageError);
  });
});

describe('explain', () => {
  test('shows options with defaults, fields with units, and an example', async () => {
    const { io, written } = terminal();
    expect(await explain({ type: 'http', json: false }, io)).toBe(0);
    expect(written.out).toMatch(/^http \(probe\)\n/);
    expect(written.out).toMatch(/^ {2}url +text +required +\S/m);
    expect(written.out).toMatch(/^ {2}redirects +whole number from 0 to 50 +default 10 +\S/m);
    expect(written.out).toMatch(/^ {2}phases\.connect_ms +number +ms +\S/m);
    expect(written.out).toContain('Example\n');
  });

  test('shows a probe type and an action type of one name together', async () => {
    const { io, written } = terminal();
    await explain({ type: 'exec', json: false }, io);
    expect(written.out).toContain('exec (probe)');
    expect(written.out).toContain('exec (action)');
  });

  test('without a type lists all', async () => {
    const { io, written } = terminal();
    await explain({ json: false }, io);
    expect(written.out).toMatch(/^probe +http +\S/m);
    expect(written.out).toMatch(/^notifier +slack +\S/m);
  });

  test('as JSON holds the same rows', async () => {
    const { io, written } = terminal();
    await explain({ type: 'tcp', json: true }, io);
    expect(JSON.parse(written.out)[0]).toMatchObject({ kind: 'probe', name: 'tcp', options: expect.any(Array) });
  });

  test('of an unknown type is not found', async () => {
    await expect(explain({ type: 'gopher', json: false }, terminal().io)).rejects.toThrow(NotFoundError);
  });
});

describe('init', () => {
  test('writes a home that is valid at once', async () => {
    const directory = join(await homeWith({}), 'new');
    const { io, written } = terminal();
    expect(await init({ directory }, io)).toBe(0);
    expect(await validate({ paths: [], home: directory, json: false }, io)).toBe(0);
    expect(written.err).toBe('');
    expect((await stat(join(directory, 'remediations/restart-web.sh'))).mode & 0o111).not.toBe(0);
  });

  test('never touches what is there', async () => {
    const directory = await homeWith({ 'brainstem.yml': '# mine\n' });
    const { io, written } = terminal();
    await init({ directory }, io);
    await writeFile(join(directory, 'probes/example.yaml'), '# mine too\n');
    await init({ directory }, io);
    expect(await readFile(join(directory, 'brainstem.yml'), 'utf8')).toBe('# mine\n');
    expect(await readFile(join(directory, 'probes/example.yaml'), 'utf8')).toBe('# mine too\n');
    expect(written.out).toContain(`kept  ${join(directory, 'brainstem.yml')}`);
  });

  test('makes the folders above it, and gives up where there can be none', async () => {
    const directory = join(await homeWith({}), 'some/where/new');
    expect(await init({ directory }, terminal().io)).toBe(0);
    await expect(init({ directory: '/proc/brainstem/home' }, terminal().io)).rejects.toThrow(
      /ENOENT.*\/proc\/brainstem/,
    );
  });
});
