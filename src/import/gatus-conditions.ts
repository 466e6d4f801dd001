/** Conditions of Gatus (`[BODY].status == pat(*ok*)`) to conditions in CEL. */

export interface GatusScope {
  /** Key of our probe type. */
  readonly type: string;
}

type Translated =
  | { readonly source: string }
  /** True of itself: a probe that cannot connect fails anyway. */
  | { readonly implied: true }
  | { readonly loss: string };

const COMPARISON = /^(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)$/;
const SWAPPED: Readonly<Record<string, string>> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=' };

export function translateCondition(written: string, scope: GatusScope): Translated {
  const match = COMPARISON.exec(written.trim());
  if (!match) return { loss: 'it is not understood' };
  const [, left = '', operator = '', right = ''] = match;
  if (left.includes('[') && right.includes('[')) return { loss: 'it compares two observations' };
  return left.includes('[')
    ? compare(left.trim(), operator, right.trim(), scope)
    : compare(right.trim(), SWAPPED[operator] ?? operator, left.trim(), scope);
}

function compare(subject: string, operator: string, value: string, scope: GatusScope): Translated {
  const [, fn, inner = subject] = /^(len|has)\((.*)\)$/.exec(subject) ?? [];
  if (inner === '[CONNECTED]' && operator === '==' && value === 'true') return { implied: true };
  if (inner === '[DOMAIN_EXPIRATION]') return { loss: 'the expiry of domains is not observed' };
  if (inner === '[CERTIFICATE_EXPIRATION]')
    return durationCondition('certificate.expires_in_days', operator, value, 24);
  if (inner === '[RESPONSE_TIME]') return numberCondition('latency_ms', operator, value);
  if (inner === '[STATUS]') return numberCondition('status', operator, value);
  const field = fieldOf(inner, scope);
  if (field === undefined) return { loss: `${inner} is not observed by a probe of type ${scope.type}` };
  if (fn === 'len') return numberCondition(`size(${field})`, operator, value);
  if (fn === 'has') return hasCondition(field, operator, value);
  return textCondition(field, operator, value);
}

function fieldOf(placeholder: string, { type }: GatusScope): string | undefined {
  if (placeholder === '[IP]') return 'ip';
  if (placeholder === '[DNS_RCODE]' && type === 'dns') return 'rcode';
  if (placeholder === '[BODY]' && type === 'dns') return 'answers[0]';
  if (placeholder === '[BODY]' && type === 'tcp') return 'banner';
  if (placeholder === '[BODY]' && type === 'http') return 'body';
  const path = /^\[BODY\]((?:\.[\w-]+|\[\d+\])+)$/.exec(placeholder)?.[1];
  if (path === undefined || type !== 'http') return undefined;
  return `json${path.replace(/\.([\w-]*-[\w-]*|\d\w*)/g, '["$1"]')}`;
}

function hasCondition(field: string, operator: string, value: string): Translated {
  if (field === 'body' || !['==', '!='].includes(operator) || !/^(?:true|false)$/.test(value)) {
    return { loss: 'it is not understood' };
  }
  const isWanted = (value === 'true') === (operator === '==');
  return /\[/.test(field)
    ? { loss: 'has() of a list item' }
    : { source: isWanted ? `has(${field})` : `!has(${field})` };
}

function durationCondition(field: string, operator: string, value: string, hoursPerUnit: number): Translated {
  const hours = hoursOf(value);
  if (hours === undefined) return { loss: `${value} is not a duration` };
  return { source: `${field} ${operator} ${Number((hours / hoursPerUnit).toFixed(4))}` };
}

/** Go's durations. */
function hoursOf(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:h|m|s))+$/.test(text)) return undefined;
  const perHour = { h: 1, m: 60, s: 3_600 };
  return [...text.matchAll(/(\d+(?:\.\d+)?)([hms])/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) / perHour[unit as keyof typeof perHour],
    0,
  );
}

function numberCondition(field: string, operator: string, value: string): Translated {
  const choices = anyOf(value);
  if (choices) {
    if (choices.some((choice) => Number.isNaN(Number(choice)))) return { loss: `${value} holds no numbers` };
    return listCondition(field, operator, choices);
  }
  if (value === '' || Number.isNaN(Number(value))) return { loss: `${value} is not a number` };
  return { source: `${field} ${operator} ${Number(value)}` };
}

function textCondition(field: string, operator: string, value: string): Translated {
  const choices = anyOf(value);
  if (choices) return listCondition(field, operator, choices.map(literalOf));
  const pattern = /^pat\((.*)\)$/.exec(value)?.[1];
  if (pattern !== undefined) {
    if (operator !== '==' && operator !== '!=') return { loss: 'it is not understood' };
    const found = `${field}.matches(${JSON.stringify(regularExpression(pattern))})`;
    return { source: operator === '==' ? found : `!${found}` };
  }
  return { source: `${field} ${operator} ${literalOf(value)}` };
}

function listCondition(field: string, operator: string, choices: readonly string[]): Translated {
  if (operator !== '==' && operator !== '!=') return { loss: 'it is not understood' };
  const found = `${field} in [${choices.join(', ')}]`;
  return { source: operator === '==' ? found : `!(${found})` };
}

function anyOf(value: string): readonly string[] | undefined {
  const list = /^any\((.*)\)$/.exec(value)?.[1];
  return list?.split(',').map((choice) => choice.trim());
}

/** Numbers, booleans and null mean themselves in JSON; anything else is a text. */
function literalOf(value: string): string {
  if (/^-?\d+(?:\.\d+)?$/.test(value) || /^(?:true|false|null)$/.test(value)) return value;
  return JSON.stringify(value);
}

/** `*` and `?` of a glob. */
function regularExpression(glob: string): string {
  const wild: Readonly<Record<string, string>> = { '*': '(?s:.*)', '?': '(?s:.)' };
  const source = glob.replace(/[.+^${}()|[\]\\*?]/g, (character) => wild[character] ?? `\\${character}`);
  return `^${source}$`;
}
