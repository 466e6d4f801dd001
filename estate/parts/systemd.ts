/** A systemd with one unit, in a container of its own; the `systemctl` that the daemon finds speaks to it. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bootSystemd } from '../../test/estate/systemd.ts';
import type { Ground, Part, StartedPart } from '../part.ts';

const UNIT = 'estate.service';
const TEXT = `[Service]
ExecStart=/bin/sleep infinity
`;

export interface SystemdPart extends StartedPart {
  /** Of the daemon's process, not of .env. */
  readonly processEnvironment: Readonly<Record<string, string>>;
  /** The unit's process is killed, which nobody mends. */
  fail(): Promise<unknown>;
  restart(): Promise<unknown>;
}

async function start({ folder }: Ground): Promise<SystemdPart> {
  const unit = join(folder, UNIT);
  await writeFile(unit, TEXT);
  const machine = await bootSystemd({ binds: { [`/etc/systemd/system/${UNIT}`]: unit } });
  await machine.run('systemctl', 'start', UNIT);
  const bin = join(folder, 'bin');
  await mkdir(bin);
  const enter = await machine.enter();
  await writeFile(join(bin, 'systemctl'), `#!/bin/sh\nexec ${enter.join(' ')} systemctl "$@"\n`);
  await chmod(join(bin, 'systemctl'), 0o755);
  return {
    processEnvironment: { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
    fail: () => machine.run('systemctl', 'kill', '--signal=KILL', UNIT),
    restart: () => machine.run('sh', '-c', `systemctl reset-failed ${UNIT}; systemctl start ${UNIT}`),
    environment: { SYSTEMD_UNIT: UNIT },
    stop: () => machine.stop(),
  };
}

export const systemd: Part<SystemdPart> = {
  summary: 'A systemd with one unit',
  needs: { 'systemd-container': '/usr/bin/systemd-nspawn', mmdebstrap: '/usr/bin/mmdebstrap' },
  hindrance: () => (process.getuid?.() === 0 ? undefined : 'systemd-nspawn needs root'),
  start,
};
