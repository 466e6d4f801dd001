/** Tables and colours of the commands. */
import Table from 'cli-table3';
import { formatDuration } from '../units.ts';
import type { CliIo } from './io.ts';

export type Color = 'red' | 'yellow' | 'green' | 'magenta' | 'dim' | 'bold';

const CODES: Readonly<Record<Color, number>> = { red: 31, yellow: 33, green: 32, magenta: 35, dim: 2, bold: 1 };

/** The text as it is, unless standard output takes colours. */
export function paint({ color }: Pick<CliIo, 'color'>, shade: Color, text: string): string {
  return color ? `\u001b[${CODES[shade]}m${text}\u001b[0m` : text;
}

/** What colours, erases or reorders text on a terminal: control characters, and overrides of the writing direction. */
const UNSAFE = /[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** Text that a target or another person wrote, made safe for a terminal and for one line. */
export function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(UNSAFE, '\ufffd');
}

/** The same, but with its lines. */
export function plainLines(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replaceAll('\t', '  ').replace(UNSAFE, ''))
    .join('\n');
}

const NO_BORDERS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** Columns under their heads, two spaces apart; cells are already safe. Ends in a line break. */
export function table(io: Pick<CliIo, 'color'>, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = new Table({
    head: head.map((name) => (name === '' ? '' : paint(io, 'dim', name))),
    chars: NO_BORDERS,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  lines.push(...rows.map((row) => [...row]));
  return `${lines.toString().replace(/[ \t]+$/gm, '')}\n`;
}

/** How long ago an ISO time is, as of `now`, another one. */
export function since(at: string, now: string): string {
  return formatDuration(Math.max(0, Date.parse(now) - Date.parse(at)));
}

/** JSON whose text no terminal obeys: what JSON itself leaves as it is becomes an escape, too. */
export function json(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2);
  return `${text.replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, escapeCharacter)}\n`;
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
