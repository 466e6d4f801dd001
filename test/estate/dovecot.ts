/** A real Dovecot for IMAP and POP3, with STARTTLS and one user, on free ports of loopback: all is gone after `stop`. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './daemon.ts';
import type { KeyPair } from './hostile-certificates.ts';
import { serverProcess } from './server-process.ts';
import { answers } from './sshd.ts';

export interface Dovecot {
  readonly imapPort: number;
  readonly pop3Port: number;
  stop(): Promise<void>;
}

export async function startDovecot(keys: KeyPair, login: { user: string; password: string }): Promise<Dovecot> {
  const folder = await mkdtemp(join(tmpdir(), 'dovecot-'));
  // Its processes give up root, and look for their sockets here.
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'mail'), { mode: 0o777 });
  await chmod(join(folder, 'mail'), 0o777);
  await writeFile(join(folder, 'cert.pem'), keys.cert);
  await writeFile(join(folder, 'key.pem'), keys.key, { mode: 0o600 });
  await writeFile(join(folder, 'users'), `${login.user}:{PLAIN}${login.password}:65534:65534::${folder}/mail\n`);
  await chmod(join(folder, 'users'), 0o644);
  const [imapPort, pop3Port] = [await freePort(), await freePort()];
  await writeFile(join(folder, 'dovecot.conf'), configuration(folder, imapPort, pop3Port));
  const server = serverProcess({
    command: '/usr/sbin/dovecot',
    arguments: ['-F', '-c', join(folder, 'dovecot.conf')],
    ready: async () => (await answers(imapPort)) && (await answers(pop3Port)),
  });
  const stop = async () => {
    await server.end('SIGTERM');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    await server.start();
  } catch (error) {
    await stop();
    throw error;
  }
  return { imapPort, pop3Port, stop };
}

function configuration(folder: string, imapPort: number, pop3Port: number): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = /dev/stderr
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <${folder}/cert.pem
ssl_key = <${folder}/key.pem
disable_plaintext_auth = yes
auth_failure_delay = 0
mail_location = maildir:~/maildir
first_valid_uid = 1
last_valid_uid = 0
passdb {
  driver = passwd-file
  args = ${folder}/users
}
userdb {
  driver = passwd-file
  args = ${folder}/users
}
service imap-login {
  inet_listener imap {
    port = ${imapPort}
  }
  inet_listener imaps {
    port = 0
  }
}
service pop3-login {
  inet_listener pop3 {
    port = ${pop3Port}
  }
  inet_listener pop3s {
    port = 0
  }
}
`;
}
