/** What a scenario measures, and how it is shown. */
import Table from 'cli-table3';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it is compared with, measured in the same run. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** The most that `value`, or its ratio to the peer, may be. Absent: told for information. */
  readonly most?: number;
  /** Median of the ratios of the repetitions. Default: value / peer. */
  readonly ratio?: number;
  /** True when `most` is about the ratio. */
  readonly isRatio?: boolean;
}

export interface Scenario {
  readonly name: string;
  readonly summary: string;
  run(say: (progress: string) => void): Promise<readonly Figure[]>;
}

const HEADS = ['figure', 'Brainstem', 'peer', 'ratio', 'at most', ''];

function ratioOf({ value, peer, ratio }: Figure): number | undefined {
  return ratio ?? (peer && value / peer.value);
}

export function isMet(figure: Figure): boolean | undefined {
  if (figure.most === undefined) return undefined;
  const judged = figure.isRatio ? ratioOf(figure) : figure.value;
  return judged !== undefined && judged <= figure.most;
}

export function toText(figures: readonly Figure[]): string {
  const table = new Table({ head: HEADS, style: { head: [], border: [] } });
  table.push(...figures.map(cellsOf));
  return table.toString();
}

export function toMarkdown(figures: readonly Figure[]): string {
  const rows = [HEADS, HEADS.map(() => '---'), ...figures.map(cellsOf)];
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function cellsOf(figure: Figure): string[] {
  const { name, value, unit, peer, most, isRatio } = figure;
  const ratio = ratioOf(figure);
  return [
    name,
    `${rounded(value)} ${unit}`,
    peer ? `${rounded(peer.value)} ${unit} (${peer.name})` : '',
    ratio === undefined ? '' : ratio.toFixed(2),
    most === undefined ? '' : isRatio ? `ratio ${most}` : `${most} ${unit}`,
    { true: 'met', false: 'missed', undefined: '' }[String(isMet(figure)) as 'true' | 'false' | 'undefined'],
  ];
}

/** Three significant digits: repetitions differ by more than that. */
function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}
