/** Providers that know their own contract, each on a server of its own that is closed when the test ends. */
import { serveHttp } from './hostile-network.ts';
import { asksRightly, contracts, type FakeAnswer } from './provider-contracts.ts';

export interface FakeProvider {
  readonly url: string;
  /** What it answers to whoever asks rightly; anything else is a 418. */
  answer: FakeAnswer;
}

/** A provider that knows its own contract: a question that is not as documented is answered by a teapot. */
export async function startFakeProvider(name: string, token: string): Promise<FakeProvider> {
  const contract = contracts[name];
  if (!contract) throw new Error(`no contract of ${name}`);
  const fake = { url: '', answer: contract.good };
  const { port } = await serveHttp(async (request, response) => {
    const isRight = await asksRightly(request, contract, token);
    const { status, headers = {}, body } = isRight ? fake.answer : { status: 418, body: 'not as documented' };
    const isText = typeof body === 'string';
    response.writeHead(status, { 'content-type': isText ? 'text/html' : 'application/json', ...headers });
    response.end(status === 204 ? undefined : isText ? body : JSON.stringify(body));
  });
  const base = `http://127.0.0.1:${port}`;
  fake.url = name === 'http' || name === 'centerpoint' ? `${base}${contract.path}` : base;
  return fake;
}
