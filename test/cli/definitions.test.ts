/** The commands that work on definitions alone: validate, schema, explain, init. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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
    expect(written).toEqual({
      out: `${home} is valid: 1 probe, 0 remediations, 0 notifiers; 1 unconfigured until these are set: WEB_URL\n`,
      err: '',
    });
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
