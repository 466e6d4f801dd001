/** One call to a supervisord by an action: XML-RPC over HTTP, over TCP or a unix socket, everything read bounded. */
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { AppError } from '../errors.ts';
import type { SupervisorAddress } from '../shared/supervisor-program.ts';
import { MAX_ANSWER_BYTES, readAnswer, writeCall, type XmlRpcAnswer } from '../shared/xml-rpc.ts';

export interface Supervisor {
  readonly address: SupervisorAddress;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** Errors: AppError `supervisor_answer`, errors of the socket, and the signal's reason. */
export async function callSupervisor(
  { address, user, password }: Supervisor,
  method: string,
  parameters: readonly (string | number | boolean)[],
  signal: AbortSignal,
): Promise<XmlRpcAnswer> {
  const body = writeCall(`supervisor.${method}`, parameters);
  const { statusCode = 0, text } = await post({ ...placeOf(address), ...credentials(user, password), signal }, body);
  if (statusCode === 401) throw new AppError('supervisor_answer', 'supervisord wants other credentials (401)');
  const answer = statusCode === 200 ? readAnswer(text) : undefined;
  if (!answer) throw new AppError('supervisor_answer', `what answers (${statusCode}) is not supervisord`);
  return answer;
}

function placeOf(address: SupervisorAddress): RequestOptions {
  if (address.kind === 'unix') return { socketPath: address.path, path: '/RPC2' };
  const { hostname, port, pathname } = address.url;
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port), path: pathname };
}

function credentials(user: string | undefined, password: string | undefined): RequestOptions {
  return user === undefined ? {} : { auth: `${user}:${password ?? ''}` };
}

function post(
  options: RequestOptions,
  body: string,
): Promise<{ readonly statusCode: number | undefined; readonly text: string }> {
  const headers = { 'Content-Type': 'text/xml', 'Content-Length': Buffer.byteLength(body), Connection: 'close' };
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, method: 'POST', headers, agent: false });
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      readAll(response).then((text) => resolve({ statusCode: response.statusCode, text }), reject);
    });
    outgoing.end(body);
  });
}

/** Beyond the cap it is no answer to anything that we ask. */
async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new AppError('supervisor_answer', 'the answer is larger than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
