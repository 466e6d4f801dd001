/** Comments on tables and columns, for whoever looks with psql. */
import type { TableFacts } from '../tables.ts';

export function commentsOn(table: string, { about, columns = {} }: TableFacts): string[] {
  return [
    `COMMENT ON TABLE ${table} IS ${literal(about)}`,
    ...Object.entries(columns).map(([name, text]) => `COMMENT ON COLUMN ${table}.${name} IS ${literal(text)}`),
  ];
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
