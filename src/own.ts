/** What a record itself holds. A key that comes from outside, such as `constructor`, finds nothing that all objects have. */
export function own<Value>(record: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
