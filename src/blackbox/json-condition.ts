/** Conditions that the exporter asks of a body as JSON: what it calls `body` is `json` here. */

/** Texts (raw ones end at the first quote), members, names. */
const TOKEN =
  /r?"""[\s\S]*?"""|r?'''[\s\S]*?'''|\b[rR]"[^"]*"|\b[rR]'[^']*'|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\.\s*[A-Za-z_]\w*|[A-Za-z_]\w*/g;

/** The same expression about `json`. Texts, and members that happen to be called `body`, stay as they are. */
export function aboutJson(expression: string): string {
  return expression.replace(TOKEN, (token) => (token === 'body' ? 'json' : token));
}
