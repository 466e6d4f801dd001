/** Certificates, good and bad, made by openssl in a folder of their own. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Issue {
  /** Such as `DNS:localhost,IP:127.0.0.1`. */
  readonly names: string;
  readonly days: number;
  /** Issued so many days ago. Default: now. */
  readonly agoDays?: number;
}

export interface Authority {
  readonly folder: string;
  readonly cert: string;
  issue(name: string, issue: Issue): Promise<KeyPair>;
  /** Signed by itself. */
  selfSigned(name: string): Promise<KeyPair>;
  remove(): Promise<void>;
}

/**
 * The library by itself, as Debian packs it: its program `faketime` names a semaphore by its process id, and fails where one
 * that was killed left a semaphore of the same id.
 */
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';

function clockOf(agoDays: number): Record<string, string> {
  return agoDays === 0 ? {} : { LD_PRELOAD: FAKETIME, FAKETIME: agoDays < 0 ? `+${-agoDays}d` : `-${agoDays}d` };
}

export async function createAuthority(): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), 'brainstem-certificates-'));
  const openssl = (...argv: string[]) => run('openssl', argv, { cwd: folder });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const pairOf = async (name: string): Promise<KeyPair> => ({
    cert: await readFile(join(folder, `${name}.pem`), 'utf8'),
    key: await readFile(join(folder, `${name}.key`), 'utf8'),
  });
  const selfSigned = async (name: string, subject: string) => {
    const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    await openssl('req', '-x509', ...newKey, ...files, '-subj', subject, '-days', '365');
    return await pairOf(name);
  };
  const { cert } = await selfSigned('ca', '/O=Test/CN=Test Authority');
  return {
    folder,
    cert,
    selfSigned: (name) => selfSigned(name, '/CN=localhost'),
    async issue(name, { names, days, agoDays = 0 }) {
      const request = ['-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/O=Test/CN=${name}`];
      await openssl('req', '-new', ...newKey, ...request);
      await writeFile(join(folder, `${name}.ext`), `subjectAltName=${names}\n`);
      const sign = ['x509', '-req', '-in', `${name}.csr`, '-out', `${name}.pem`, '-extfile', `${name}.ext`];
      const signer = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', String(days)];
      await run('openssl', [...sign, ...signer], { cwd: folder, env: { ...process.env, ...clockOf(agoDays) } });
      return await pairOf(name);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
