/** The measured part of docs/performance.md. */
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '../docs/performance.md');
const BEGIN = '<!-- measured -->';
const END = '<!-- /measured -->';

/** What the figures were measured on. */
export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${model}), ${memoryGiB} GiB, Node ${process.version}, ${process.platform}`;
}

export async function writeReport(table: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const [before, rest = ''] = page.split(BEGIN);
  const after = rest.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`${PAGE} lacks the lines ${BEGIN} and ${END}`);
  const day = new Date().toISOString().slice(0, 10);
  await writeFile(PAGE, `${before}${BEGIN}\n\nMeasured on ${day}: ${machine()}.\n\n${table}\n\n${END}${after}`);
}
