/** Where in a module's own text an error was thrown, though what runs is its compiled code. */
import { SourceMap } from 'node:module';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../errors.ts';
import type { SourceLocation } from '../../model.ts';
import type { PlacedError } from './protocol.ts';

const FRAME = /(?:\(|at (?:async )?)((?:file:\/\/)?\/[^()]+):(\d+):(\d+)\)?$/;
const INLINE_MAP = /\/\/# sourceMappingURL=data:application\/json;charset=utf-8;base64,([A-Za-z0-9+/=]+)\s*$/;
/** The compiled code stands behind this on its first line: see `evalModule` of jiti. */
const WRAPPER = '(async function (exports, require, module, __filename, __dirname, jitiImport, jitiESMResolve) { ';

/** Turns what was thrown into a message with the first place of its stack that lies within the home. */
export function placeIn(
  home: string,
  code: ReadonlyMap<string, string>,
  fallback: SourceLocation,
): (thrown: unknown) => PlacedError {
  return (thrown) => {
    const message = thrown instanceof Error ? `${thrown.name}: ${messageOf(thrown)}` : `threw ${messageOf(thrown)}`;
    const frames = thrown instanceof Error && typeof thrown.stack === 'string' ? thrown.stack.split('\n') : [];
    for (const frame of frames) {
      const location = locate(frame, home, code);
      if (location !== undefined) return { location, message };
    }
    return { location: fallback, message };
  };
}

function locate(frame: string, home: string, code: ReadonlyMap<string, string>): SourceLocation | undefined {
  const [, path = '', line, column] = FRAME.exec(frame.trim()) ?? [];
  if (path === '') return undefined;
  const absolute = path.startsWith('file:') ? fileURLToPath(path) : path;
  const file = relative(home, absolute).replaceAll(sep, '/');
  if (file.startsWith('..') || file.split('/').includes('node_modules')) return undefined;
  return { file, ...original(code.get(absolute), Number(line), Number(column)) };
}

/** What was not compiled stands where it says. */
function original(compiled: string | undefined, line: number, column: number): { line: number; column: number } {
  const encoded = INLINE_MAP.exec(compiled ?? '')?.[1];
  if (encoded === undefined) return { line, column };
  const map = new SourceMap(JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')));
  const shift = line === 1 ? WRAPPER.length : 0;
  const entry = map.findEntry(line - 1, Math.max(0, column - 1 - shift));
  if (!('originalLine' in entry)) return { line, column };
  return { line: entry.originalLine + 1, column: entry.originalColumn + 1 };
}
