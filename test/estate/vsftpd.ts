/** A real FTP server for anonymous guests, with TLS, on a free port of loopback: everything it made is gone after `stop`. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './daemon.ts';
import type { KeyPair } from './hostile-certificates.ts';
import { serverProcess } from './server-process.ts';
import { answers } from './sshd.ts';

export interface FtpServer {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startVsftpd(keys: KeyPair): Promise<FtpServer> {
  const folder = await mkdtemp(join(tmpdir(), 'vsftpd-'));
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'files'));
  await mkdir(join(folder, 'empty'));
  await writeFile(join(folder, 'cert.pem'), keys.cert);
  await writeFile(join(folder, 'key.pem'), keys.key, { mode: 0o600 });
  const port = await freePort();
  const settings = [
    ...['listen=YES', 'listen_address=127.0.0.1', `listen_port=${port}`, 'background=NO', 'seccomp_sandbox=NO'],
    ...['anonymous_enable=YES', 'local_enable=NO', 'ftp_username=ftp', 'nopriv_user=nobody'],
    ...[`anon_root=${folder}/files`, `secure_chroot_dir=${folder}/empty`, 'xferlog_enable=NO'],
    ...['ssl_enable=YES', 'allow_anon_ssl=YES', 'ssl_tlsv1=YES', 'ssl_ciphers=HIGH'],
    ...[`rsa_cert_file=${folder}/cert.pem`, `rsa_private_key_file=${folder}/key.pem`],
  ];
  await writeFile(join(folder, 'vsftpd.conf'), settings.map((setting) => `${setting}\n`).join(''));
  const server = serverProcess({
    command: '/usr/sbin/vsftpd',
    arguments: [join(folder, 'vsftpd.conf')],
    ready: () => answers(port),
  });
  const stop = async () => {
    await server.end('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}
