import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { notifierTypes } from '../../src/notifiers/index.ts';
import { isSecret } from '../../src/spec.ts';

/** Something that fits a variable of an example. */
function fitting(variable: string): string {
  if (variable === 'SMTP_URL') return 'smtp://127.0.0.1';
  return /FROM|TO$/.test(variable) ? 'somebody@example.com' : 'http://127.0.0.1/';
}

describe.each(Object.values(notifierTypes))('notifier type $name', (type) => {
  it('stands in the map under its own name', () => {
    expect(notifierTypes[type.name as keyof typeof notifierTypes]).toBe(type);
  });

  it('has an example of its main option, which is valid but for its variables', () => {
    const { notifiers } = parse(type.example) as { notifiers: Record<string, Record<string, object>> };
    const [definition] = Object.values(notifiers);
    const filled = JSON.stringify(definition?.[type.name]).replace(/\$\{(\w+)\}/g, (_, variable) => fitting(variable));
    expect(type.spec.safeParse(JSON.parse(filled))).toMatchObject({ success: true });
    expect(definition?.[type.name]).toHaveProperty(type.mainOption);
  });

  it('describes every option in its JSON Schema and refuses unknown ones', () => {
    const schema = z.toJSONSchema(type.spec, { io: 'input' });
    expect(schema.additionalProperties).toBe(false);
    for (const property of Object.values(schema.properties ?? {})) expect(property).toHaveProperty('description');
  });
});

it('marks tokens, signing secrets, header values and webhook URLs as secrets', () => {
  const { slack, webhook } = notifierTypes;
  expect(isSecret(slack.spec.shape.token)).toBe(true);
  expect(isSecret(slack.spec.shape.channel)).toBe(false);
  expect(isSecret(webhook.spec.shape.url)).toBe(true);
  expect(isSecret(webhook.spec.shape.secret)).toBe(true);
  expect(isSecret(webhook.spec.shape.headers.unwrap().valueType)).toBe(true);
});
