/** Units of a real systemd that end in every way, and the words that ask it from this machine. */
import { bootSystemd, type Systemd } from './systemd.ts';

export interface Units extends Systemd {
  /** The option `systemctl` that asks it. */
  readonly systemctl: readonly [string, ...string[]];
  /** Writes a service, and enables it: what nobody needs, systemd forgets when it does not run. */
  define(name: string, service: readonly string[], unit?: readonly string[]): Promise<void>;
  /** `systemctl` in there. Its exit code does not matter. */
  control(...argv: string[]): Promise<string>;
}

export async function bootUnits(): Promise<Units> {
  const systemd = await bootSystemd({ binds: {} });
  const [program = '', ...words] = await systemd.enter();
  const control = (...argv: string[]) => systemd.run('sh', '-c', 'systemctl "$@" 2>&1 || true', 'systemctl', ...argv);
  return {
    ...systemd,
    systemctl: [program, ...words, 'systemctl'],
    control,
    async define(name, service, unit = []) {
      const install = ['[Install]', 'WantedBy=multi-user.target'];
      const text = ['[Unit]', ...unit, '[Service]', ...service, ...install, ''].join('\n');
      await systemd.run('sh', '-ec', 'printf %s "$1" > "/run/systemd/system/$2"', 'define', text, name);
      await control('enable', '--runtime', name);
      await control('daemon-reload');
    },
  };
}
