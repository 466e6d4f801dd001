/**
 * What is probed, in a process of its own so that its cost is nobody's: an HTTP server that notes when each path is asked
 * for, and a DNS server for the names under `.bench`. Both can be told to make some wait.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Arrival, FromTarget, ToTarget } from './target.ts';

const BODY = '{"status":"operational"}';
const SLOW_NAME_MS = 5_000;
/** Type A, class IN, this name (a pointer to the question), no caching, four bytes: 127.0.0.1. RFC 1035, 4.1. */
const ANSWER = Buffer.from([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]);
const HEADER_BYTES = 12;
const TYPE_A = 1;

let isHanging = false;
let areNamesSlow = false;
let arrivals: Arrival[] = [];

function serve(request: IncomingMessage, response: ServerResponse): void {
  arrivals.push({ path: request.url ?? '', at: performance.timeOrigin + performance.now() });
  if (isHanging && request.url?.startsWith('/hangs/')) return;
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': BODY.length, Connection: 'close' });
  response.end(BODY);
}

/** One question, one A record; nothing for other types. */
function answerTo(question: Buffer): Buffer {
  const end = question.indexOf(0, HEADER_BYTES) + 5;
  const isAddress = question.readUInt16BE(end - 4) === TYPE_A;
  const head = Buffer.from(question.subarray(0, end));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(isAddress ? 1 : 0, 6);
  head.writeUInt16BE(0, 10);
  return isAddress ? Buffer.concat([head, ANSWER]) : head;
}

async function main(): Promise<void> {
  const http = createServer(serve).listen(0, '127.0.0.1', 4_096);
  const dns = createSocket('udp4');
  dns.on('message', (question, { port, address }) => {
    setTimeout(() => dns.send(answerTo(question), port, address), areNamesSlow ? SLOW_NAME_MS : 0);
  });
  dns.bind(0, '127.0.0.1');
  await Promise.all([once(http, 'listening'), once(dns, 'listening')]);
  process.on('message', (message: ToTarget) => {
    if (message.kind === 'hang') isHanging = message.on;
    if (message.kind === 'slow_names') areNamesSlow = message.on;
    if (message.kind !== 'take') return;
    tell({ kind: 'arrivals', arrivals });
    arrivals = [];
  });
  process.once('disconnect', () => process.exit(0));
  tell({ kind: 'ready', httpPort: (http.address() as AddressInfo).port, dnsPort: dns.address().port });
}

function tell(message: FromTarget): void {
  process.send?.(message);
}

await main();
