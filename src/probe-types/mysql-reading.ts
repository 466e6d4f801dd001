/**
 * Whether a statement only reads. The read-only transaction around it refuses what changes tables and sequences; this
 * refuses the rest before it is sent: files, locks, settings, commands to the server. What only takes time ends at the
 * deadline.
 */

/** Whatever may hold any text: strings, quoted names, comments. */
const OPAQUE = /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`|--(?=\s|$).*|#.*|\/\*[\s\S]*?\*\//g;
/** Comments that the server executes: `/*! … *\/`, and MariaDB's `/*M! … *\/`. */
const EXECUTED_COMMENT = /^\/\*M?!/;
const READING = /^[\s(]*(?:select|with|table|values|show)\b/i;
const MORE_THAN_READING = /\binto\b|\bfor\s+update\b|\bfor\s+share\b|\block\s+in\s+share\s+mode\b/i;
/** A lock of an application's, a file of the server's. */
const REACHING_OUT = /\b(?:get_lock|release_lock|release_all_locks|load_file)\s*\(/i;

export function isReading(statement: string): boolean {
  let isExecuted = false;
  const bare = statement.replace(OPAQUE, (opaque) => {
    isExecuted ||= EXECUTED_COMMENT.test(opaque);
    return opaque.startsWith('/*') || opaque.startsWith('-') || opaque.startsWith('#') ? ' ' : `''`;
  });
  const isSingle = !bare.replace(/;\s*$/, '').includes(';');
  if (isExecuted || !isSingle || !READING.test(bare)) return false;
  return !MORE_THAN_READING.test(bare) && !REACHING_OUT.test(bare);
}
