/** Reading what a provider answers, which may be of any shape. */
import { z } from 'zod';
import type { Answer } from './credential-answer.ts';

/** Characters of a name that is shown. */
const MAX_NAME = 100;
export const label = z.string().transform((text) => text.slice(0, MAX_NAME));
export const name = label.optional().catch(undefined);

/** Reads a body of this shape; of another one it is no answer of the provider. */
export function shaped<Shape extends z.ZodType, Read>(
  shape: Shape,
  read: (body: z.output<Shape>, answer: Answer) => Read,
) {
  return (answer: Answer): Read | undefined => {
    const { data, success } = shape.safeParse(answer.json);
    return success ? read(data, answer) : undefined;
  };
}

/** `a, b, c`; undefined: no such header, so that nothing is known. */
export function listIn(header: string | string[] | undefined): readonly string[] | undefined {
  return header === undefined
    ? undefined
    : String(header)
        .split(',')
        .map((scope) => scope.trim())
        .filter((scope) => scope !== '');
}

/** A text somewhere within the body. */
export function textAt({ json }: Answer, ...path: readonly string[]): string | undefined {
  let value: unknown = json;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return typeof value === 'string' ? value : undefined;
}
