/**
 * How the demo looks: plain lines, one a step, with colours where a terminal shows them.
 */
import { type Color, paint, plain, table } from '../src/cli/print.ts';
import type { Fault, Outcome } from './scenario.ts';
import type { Step, StepKind } from './story.ts';

export interface Screen {
  line(text?: string): void;
  fault(number: number, fault: Fault): void;
  step(step: Step, brokenAt: number): void;
  outcomes(outcomes: readonly Outcome[]): void;
}

const SHADES: Readonly<Record<StepKind, Color>> = {
  broken: 'red',
  noticed: 'yellow',
  down: 'red',
  held: 'dim',
  slack: 'magenta',
  fix: 'yellow',
  acted: 'dim',
  healed: 'green',
  unhealed: 'red',
};

const LABEL_WIDTH = 10;

export function createScreen(out: (text: string) => void, color: boolean): Screen {
  const io = { color };
  const line = (text = '') => out(`${text}\n`);
  return {
    line,
    fault: (number, { title }) => line(`\n${paint(io, 'bold', `${number}  The service is ${title}`)}`),
    step({ kind, at, text }, brokenAt) {
      const label = paint(io, SHADES[kind], kind.padEnd(LABEL_WIDTH));
      line(`   ${paint(io, 'dim', `+${seconds(at - brokenAt)}`.padStart(8))}  ${label}${plain(text)}`);
    },
    outcomes(outcomes) {
      const rows = outcomes.map(({ fault, healed, reason, times }) => [
        fault.title,
        reason,
        ...[times.detected, times.acted, times.healed, times.told].map(optionalSeconds),
        healed ? paint(io, 'green', 'healed') : paint(io, 'red', 'NOT HEALED'),
      ]);
      out(`\n${table(io, ['fault', 'reason', 'detected', 'fix started', 'healed', 'Slack told', 'outcome'], rows)}`);
    },
  };
}

function optionalSeconds(durationMs: number | undefined): string {
  return durationMs === undefined ? 'never' : seconds(durationMs);
}

function seconds(durationMs: number): string {
  return `${(durationMs / 1_000).toFixed(1)} s`;
}
