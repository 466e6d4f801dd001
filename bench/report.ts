/** The measured parts of docs/performance.md: one for each scenario, each with its own day. */
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '../docs/performance.md');
const END = '<!-- /measured -->';

/** What the figures were measured on. */
export function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return `${availableParallelism()} cores (${model}), ${memoryGiB} GiB, Node ${process.version}, ${process.platform}`;
}

/** @param table in Markdown. */
export async function writeReport(scenario: string, table: string): Promise<void> {
  const page = await readFile(PAGE, 'utf8');
  const begin = `<!-- measured ${scenario} -->`;
  const [before = '', rest] = page.split(begin);
  const end = rest?.indexOf(END) ?? -1;
  if (rest === undefined || end === -1) throw new Error(`${PAGE} lacks the lines ${begin} and ${END}`);
  const day = new Date().toISOString().slice(0, 10);
  const measured = `Measured on ${day}: ${machine()}.\n\n${table}`;
  await writeFile(PAGE, `${before}${begin}\n\n${measured}\n\n${rest.slice(end)}`);
}
