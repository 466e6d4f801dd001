/**
 * XML-RPC as far as supervisord speaks it (http://xmlrpc.com/spec.md): calls of texts, numbers and booleans, and answers. Of XML
 * it reads elements, texts and character references, and nothing that could grow: no DTD, entity, comment or CDATA.
 */

export type XmlRpcValue = string | number | boolean | null | readonly XmlRpcValue[] | XmlRpcStruct;
interface XmlRpcStruct {
  readonly [name: string]: XmlRpcValue;
}

export type XmlRpcAnswer =
  | { readonly kind: 'answer'; readonly value: XmlRpcValue }
  | { readonly kind: 'fault'; readonly code: number; readonly text: string };

export const MAX_ANSWER_BYTES = 2 ** 20;
const MAX_VALUES = 10_000;
const MAX_DEPTH = 16;

export function writeCall(method: string, parameters: readonly (string | number | boolean)[]): string {
  const params = parameters.map((parameter) => `<param><value>${written(parameter)}</value></param>`).join('');
  return `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${params}</params></methodCall>`;
}

function written(parameter: string | number | boolean): string {
  if (typeof parameter === 'number') return `<int>${parameter}</int>`;
  if (typeof parameter === 'boolean') return `<boolean>${Number(parameter)}</boolean>`;
  return `<string>${parameter.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')}</string>`;
}

/** undefined: it is not an answer in XML-RPC. */
export function readAnswer(text: string): XmlRpcAnswer | undefined {
  try {
    return readResponse(new Cursor(text));
  } catch (error) {
    if (error instanceof NotXmlRpc) return undefined;
    throw error;
  }
}

class NotXmlRpc extends Error {}

type Token =
  | { readonly kind: 'open' | 'close'; readonly name: string }
  | { readonly kind: 'text'; readonly text: string };

/** One token after the other; what fits none is not read. */
class Cursor {
  readonly #text: string;
  readonly #token = /<(\/?)([A-Za-z][A-Za-z0-9._]{0,30})\s{0,10}(\/?)>|[^<]+/y;
  #at: number;
  #ahead: Token | undefined;
  /** The closing half of `<nil/>`. */
  #owed: Token | undefined;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
    this.#at = /^\s{0,100}<\?xml [^>]{0,200}\?>/.exec(text)?.[0].length ?? 0;
  }

  countValue(): void {
    this.#values += 1;
    if (this.#values > MAX_VALUES) throw new NotXmlRpc();
  }

  open(name: string): void {
    this.#take('open', name);
  }

  close(name: string): void {
    this.#take('close', name);
  }

  /** The name of the element that begins next; undefined: none does. */
  opening(): string | undefined {
    this.#skipBlank();
    const token = this.#peek();
    return token?.kind === 'open' ? token.name : undefined;
  }

  /** What stands here as text, as far as the next element. */
  text(): string {
    const token = this.#peek();
    if (token?.kind !== 'text') return '';
    this.#ahead = undefined;
    return decoded(token.text);
  }

  #take(kind: 'open' | 'close', name: string): void {
    this.#skipBlank();
    const token = this.#peek();
    if (token?.kind !== kind || token.name !== name) throw new NotXmlRpc();
    this.#ahead = undefined;
  }

  #skipBlank(): void {
    const token = this.#peek();
    if (token?.kind === 'text' && token.text.trim() === '') this.#ahead = undefined;
  }

  #peek(): Token | undefined {
    this.#ahead ??= this.#next();
    return this.#ahead;
  }

  #next(): Token | undefined {
    if (this.#owed) {
      const owed = this.#owed;
      this.#owed = undefined;
      return owed;
    }
    if (this.#at >= this.#text.length) return undefined;
    this.#token.lastIndex = this.#at;
    const match = this.#token.exec(this.#text);
    if (!match) throw new NotXmlRpc();
    this.#at = this.#token.lastIndex;
    const [text, slash, name, empty] = match;
    if (name === undefined) return { kind: 'text', text };
    if (empty !== '') this.#owed = { kind: 'close', name };
    return { kind: slash === '' ? 'open' : 'close', name };
  }
}

const CHARACTERS: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function decoded(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]{2,4}));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return CHARACTERS[name] ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function readResponse(cursor: Cursor): XmlRpcAnswer {
  cursor.open('methodResponse');
  if (cursor.opening() === 'fault') {
    cursor.open('fault');
    const value = readValue(cursor, 0);
    const fault = typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as XmlRpcStruct) : {};
    const { faultCode: code, faultString: text = '' } = fault;
    if (typeof code !== 'number' || typeof text !== 'string') throw new NotXmlRpc();
    return { kind: 'fault', code, text };
  }
  cursor.open('params');
  cursor.open('param');
  const value = readValue(cursor, 0);
  cursor.close('param');
  cursor.close('params');
  cursor.close('methodResponse');
  return { kind: 'answer', value };
}

function readValue(cursor: Cursor, depth: number): XmlRpcValue {
  cursor.countValue();
  if (depth > MAX_DEPTH) throw new NotXmlRpc();
  cursor.open('value');
  const bare = cursor.text();
  const type = cursor.opening();
  const value = type === undefined ? bare : readTyped(cursor, type, depth);
  cursor.close('value');
  return value;
}

function readTyped(cursor: Cursor, type: string, depth: number): XmlRpcValue {
  cursor.open(type);
  const value = type === 'struct' ? readStruct(cursor, depth) : type === 'array' ? readArray(cursor, depth) : undefined;
  const result = value ?? readScalar(type, cursor.text());
  cursor.close(type);
  return result;
}

function readScalar(type: string, text: string): XmlRpcValue {
  switch (type) {
    case 'string':
    case 'base64':
    case 'dateTime.iso8601':
      return text;
    case 'int':
    case 'i4':
    case 'i8':
    case 'double':
      if (text.trim() === '' || !Number.isFinite(Number(text))) throw new NotXmlRpc();
      return Number(text);
    case 'boolean':
      return text.trim() === '1';
    case 'nil':
      return null;
    default:
      throw new NotXmlRpc();
  }
}

function readStruct(cursor: Cursor, depth: number): XmlRpcValue {
  const members: [string, XmlRpcValue][] = [];
  while (cursor.opening() === 'member') {
    cursor.open('member');
    cursor.open('name');
    const name = cursor.text();
    cursor.close('name');
    members.push([name, readValue(cursor, depth + 1)]);
    cursor.close('member');
  }
  return Object.fromEntries(members);
}

function readArray(cursor: Cursor, depth: number): XmlRpcValue {
  const items: XmlRpcValue[] = [];
  cursor.open('data');
  while (cursor.opening() === 'value') items.push(readValue(cursor, depth + 1));
  cursor.close('data');
  return items;
}
