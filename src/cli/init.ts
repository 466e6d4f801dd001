/** `brainstem init DIR`: a small home that works at once. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { codeOf } from '../errors.ts';
import type { CliIo } from './io.ts';

const BRAINSTEM = `# Settings of the daemon. Every key has a default: this file may as well be empty.
http: { listen: "127.0.0.1:9911", token: "\${BRAINSTEM_TOKEN:-}" }

# Who is told. A notifier whose variables are not set is "unconfigured" and waits for them.
notifiers:
  oncall: { slack: { token: "\${SLACK_BOT_TOKEN}", channel: "\${SLACK_CHANNEL}" } }

# auto: heal. observe: only say what would be done. off: watch and tell.
healing: { mode: auto, budget: 10 in 10m }
`;

const PROBES = `# What is watched. "brainstem explain http" shows every option; "brainstem validate" checks this file.
probes:
  - name: host
    title: This machine
    host: {}
    warn:                      # any false: degraded
      - cpu_percent < 80
      - memory_percent < 90

  - name: web
    http: { url: "\${WEB_URL}" }        # unconfigured until .env sets it
    expect:                    # any false: down
      - status == 200
    fail_after: 3              # runs in a row before it counts as down
    remediate:
      - try: [restart-web]
    page_after: 2m             # hold the page this long while the fix is tried
`;

const REMEDIATIONS = `# How it is fixed. After the act only the probe decides whether it healed.
remediations:
  - name: restart-web
    exec: { argv: ["./restart-web.sh"] }        # beside this file; told about the incident as JSON on its input
    cooldown: 5m
    limit: 3 in 1h
    mode: observe              # says what it would do; write auto when you trust it
`;

const SCRIPT = `#!/bin/sh
# Restart the web server here. The incident comes as JSON on standard input.
set -eu
exec systemctl restart "\${WEB_UNIT:-nginx}"
`;

const ENVIRONMENT = `# Copy to .env and fill in. What is set in the environment of the daemon wins.
BRAINSTEM_TOKEN=
SLACK_BOT_TOKEN=
SLACK_CHANNEL=
WEB_URL=
`;

interface HomeFile {
  readonly path: string;
  readonly text: string;
  readonly mode?: number;
}

const FILES: readonly HomeFile[] = [
  { path: 'brainstem.yml', text: BRAINSTEM },
  { path: 'probes/example.yaml', text: PROBES },
  { path: 'remediations/example.yaml', text: REMEDIATIONS },
  { path: 'remediations/restart-web.sh', text: SCRIPT, mode: 0o755 },
  { path: '.env.example', text: ENVIRONMENT },
  { path: '.gitignore', text: '.env\ndata/\n' },
];

/** Never touches a file that is there. Exit code: 0. */
export async function init({ directory }: { readonly directory: string }, io: CliIo): Promise<number> {
  const home = resolve(directory);
  for (const file of FILES) {
    const isNew = await writeNew(join(home, file.path), file);
    io.out(`${isNew ? 'wrote' : 'kept '} ${join(directory, file.path)}\n`);
  }
  io.out(`\nNext: brainstem validate ${directory}, then brainstem run --home ${directory}\n`);
  return 0;
}

/** False: there was one already. */
async function writeNew(path: string, { text, mode }: HomeFile): Promise<boolean> {
  await makeFolder(dirname(path));
  try {
    await writeFile(path, text, { flag: 'wx', mode: mode ?? 0o644 });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Level by level: Node's own recursive `mkdir` never returns where the system takes no folders, as under /proc. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}
