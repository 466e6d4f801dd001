/**
 * `brainstem doctor`: what would keep this home from doing its work, and what is left to set.
 */
import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfiguration } from '../config/load.ts';
import { ConfigurationError, codeOf, formatProblem, messageOf } from '../errors.ts';
import type { Configuration, Probe } from '../model.ts';
import { registries } from '../registries.ts';
import { counted, notSet } from '../words.ts';
import type { CliIo } from './io.ts';
import { waitingHead, waitingIn } from './waiting.ts';

export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  readonly text: string;
}

/** Exit code: 1 when something keeps the daemon from working, else 0. */
export async function doctor(
  { home, json }: { readonly home: string; readonly json: boolean },
  io: CliIo,
): Promise<number> {
  const findings = await examine(home, io);
  io.out(
    json
      ? `${JSON.stringify(findings, null, 2)}\n`
      : findings.map(({ level, text }) => `${MARKS[level]} ${text}\n`).join(''),
  );
  return findings.some(({ level }) => level === 'problem') ? 1 : 0;
}

const MARKS = { ok: '  ok     ', warning: '  warning', problem: '  PROBLEM' } as const;

async function examine(home: string, io: CliIo): Promise<Finding[]> {
  const findings: Finding[] = [await nodeVersion(), await dataFolder(home)];
  try {
    const configuration = await loadConfiguration(home, { registries, environment: io.environment });
    findings.push(...(await ofConfiguration(configuration)));
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    findings.push(...error.problems.map((problem): Finding => ({ level: 'problem', text: formatProblem(problem) })));
  }
  return findings;
}

async function nodeVersion(): Promise<Finding> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const recent = major > 20 || (major === 20 && minor >= 19);
  return {
    level: recent ? 'ok' : 'problem',
    text: `Node ${process.versions.node}${recent ? '' : ': 20.19 or newer is needed'}`,
  };
}

async function dataFolder(home: string): Promise<Finding> {
  const folder = join(home, 'data');
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await access(folder, constants.W_OK);
    const open = ((await stat(folder)).mode & 0o077) !== 0;
    return {
      level: open ? 'warning' : 'ok',
      text: open ? `${folder} is readable by others: chmod 700 it` : `${folder} is writable and private`,
    };
  } catch (error) {
    return { level: 'problem', text: `${folder} cannot be written: ${messageOf(error)}` };
  }
}

async function ofConfiguration(configuration: Configuration): Promise<Finding[]> {
  const { probes, remediations, notifiers, settings, warnings } = configuration;
  const all = [counted(probes.size, 'probe'), counted(remediations.size, 'remediation')];
  const findings: Finding[] = [
    { level: 'ok', text: `valid: ${all.join(', ')}, ${counted(notifiers.size, 'notifier')}` },
  ];
  const waiting = waitingIn(configuration);
  if (waiting.length > 0)
    findings.push({ level: 'warning', text: `${waitingHead(waiting)}; \`brainstem validate\` names them` });
  findings.push(...warnings.map((problem): Finding => ({ level: 'warning', text: formatProblem(problem) })));
  const heard = [...notifiers.values()].some(({ unset }) => unset.length === 0);
  if (!heard)
    findings.push({
      level: 'warning',
      text: 'no notifier is configured: incidents show on the page and in metrics alone',
    });
  if (settings.healing.mode !== 'auto')
    findings.push({ level: 'warning', text: `healing.mode is ${settings.healing.mode}: nothing is healed by itself` });
  if (settings.watchdog === undefined)
    findings.push({
      level: 'warning',
      text: 'no watchdog is configured: nobody notices when Brainstem itself is gone',
    });
  findings.push(...ofVantage(configuration));
  findings.push(await freezeFile(settings.healing.freezeFile));
  return findings;
}

/** A probe that does not run answers nothing. */
function ofVantage({ probes, settings }: Configuration): Finding[] {
  const { vantage } = settings.healing;
  const unheard = 'blindness is not checked, so a dead uplink looks like dead targets';
  if (vantage.length === 0) return [{ level: 'warning', text: `${unheard}: name probes in healing.vantage` }];
  const idle = vantage.flatMap((name) => whyIdle(name, probes.get(name)) ?? []);
  const running = vantage.length - idle.length;
  if (running === 0)
    return [{ level: 'warning', text: `${unheard}: no probe of healing.vantage runs: ${idle.join('; ')}` }];
  return [
    { level: 'ok', text: `blindness is checked by ${counted(running, 'vantage probe')}` },
    ...idle.map((why): Finding => ({ level: 'warning', text: `a vantage probe does not run: ${why}` })),
  ];
}

/** undefined: it runs. */
function whyIdle(name: string, probe: Probe | undefined): string | undefined {
  if (probe === undefined) return `${name} is not there`;
  if (probe.unset.length > 0) return `${name} is unconfigured, ${notSet(probe.unset)}`;
  return probe.paused ? `${name} is paused` : undefined;
}

async function freezeFile(path: string): Promise<Finding> {
  try {
    await stat(path);
    return { level: 'warning', text: `${path} exists: all healing is frozen` };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { level: 'ok', text: 'healing is not frozen by a file' };
    return { level: 'problem', text: `${path} cannot be looked at, so healing is frozen: ${messageOf(error)}` };
  }
}
