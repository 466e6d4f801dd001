/**
 * The peers of the probe types: the least that a program does, with the same library, to have the same exchange over a
 * connection of its own. They judge nothing, limit nothing and have no deadline. By the type's name: a spec goes in, a
 * function that has one exchange comes out. Plain JavaScript, as what they are compared with.
 */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { connect } from 'node:net';
import tls from 'node:tls';
import Docker from 'dockerode';
import mysql2 from 'mysql2/promise';
import pg from 'pg';
import { WebSocket } from 'ws';
import * as amqp from '../../dist/probe-types/amqp-frames.js';
import { connectPacket, disconnectPacket } from '../../dist/probe-types/mqtt-packets.js';
import { SETTINGS_QUERY, STATUS_QUERY } from '../../dist/probe-types/mysql-figures.js';
import { figuresQuery } from '../../dist/probe-types/postgres-figures.js';
import { readAnswer, writeCall } from '../../dist/shared/xml-rpc.js';

const HOST = '127.0.0.1';

export const minimalClients = {
  tcp:
    ({ port }) =>
    () =>
      untilDone((done) => destroyOn('connect', connect(port, HOST), done)),

  udp: ({ port, send }) => {
    return () =>
      untilDone((done) => {
        const socket = createSocket('udp4');
        socket.on('error', done);
        socket.on('message', (answer) => {
          answer.toString();
          socket.close(() => done());
        });
        socket.connect(port, HOST, () => socket.send(send));
      });
  },

  http: ({ url, tls: { ca } = {} }) => {
    const secureContext = ca === undefined ? undefined : tls.createSecureContext({ ca });
    const { get } = ca === undefined ? http : https;
    return () =>
      untilDone((done) => {
        const request = get(url, { agent: false, secureContext }, (response) => {
          response.on('data', () => {});
          response.on('end', () => done());
        });
        request.on('error', done);
      });
  },

  tls: ({ port, ca }) => {
    const secureContext = tls.createSecureContext({ ca });
    return () =>
      untilDone((done) => {
        const socket = tls.connect({ host: HOST, port, secureContext });
        socket.once('secureConnect', () => socket.getPeerCertificate(true));
        destroyOn('secureConnect', socket, done);
      });
  },

  dns: ({ name, server }) => {
    return () => {
      const resolver = new Resolver();
      resolver.setServers([server]);
      return resolver.resolve4(name);
    };
  },

  websocket: ({ url }) => {
    return () =>
      untilDone((done) => {
        const client = new WebSocket(url, { perMessageDeflate: false });
        client.on('error', done);
        client.on('open', () => {
          client.close(1_000);
          client.terminate();
          done();
        });
      });
  },

  grpc: ({ address }) => {
    const headers = { ':method': 'POST', ':path': '/grpc.health.v1.Health/Check', te: 'trailers' };
    return () =>
      untilDone((done) => {
        const session = http2.connect(`http://${address}`);
        session.on('error', done);
        const stream = session.request({ ...headers, 'content-type': 'application/grpc' }, { endStream: false });
        stream.on('error', done);
        stream.on('data', () => {});
        stream.on('close', () => {
          session.destroy();
          done();
        });
        stream.end(Buffer.alloc(5));
      });
  },

  mysql: ({ url }) => {
    return async () => {
      const connection = await mysql2.createConnection(url.split('?')[0]);
      await connection.query(SETTINGS_QUERY);
      await connection.query(STATUS_QUERY);
      await connection.end();
    };
  },

  postgres: ({ url }) => {
    const limits = ['statement_timeout', 'idle_in_transaction_session_timeout'].map(
      (name) => `set local ${name} = 9000`,
    );
    const text = ['begin transaction read only', ...limits, figuresQuery(false), 'commit'].join(';');
    return async () => {
      const client = new pg.Client({ connectionString: url.split('?')[0], ssl: false });
      await client.connect();
      await client.query(text);
      await client.end();
    };
  },

  redis: ({ url }) => {
    const isWhole = (heard) => heard.length > 0 && heard.length >= Number(/^\$(\d+)\r\n/.exec(heard)?.[1]) + 2;
    return dialogue(portOf(url), [{ say: '*1\r\n$4\r\nINFO\r\n', isWhole }]);
  },

  celery: ({ broker, queues, priority_steps: steps }) => {
    const lists = queues.flatMap((queue) => steps.map((step) => (step === 0 ? queue : `${queue}\x06\x16${step}`)));
    const commands = [
      ['HLEN', 'unacked'],
      ['ZRANGE', 'unacked_index', '0', '0', 'WITHSCORES'],
      ...lists.map((list) => ['LLEN', list]),
    ];
    const say = commands.map(
      (words) => `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`,
    );
    const isWhole = (heard) => heard.split('\r\n').length > commands.length;
    return dialogue(portOf(broker), [{ say: say.join(''), isWhole }]);
  },

  smtp: ({ url }) => {
    const isWhole = (heard) => /^\d{3} .*\r\n$/m.test(heard);
    return dialogue(portOf(url), [{ isWhole }, { say: 'EHLO [127.0.0.1]\r\n', isWhole }, { say: 'QUIT\r\n' }]);
  },

  mqtt: ({ url, client_id: clientId }) => {
    const say = connectPacket(4, { clientId, user: '', password: '', keepAliveS: 30 });
    return dialogue(portOf(url), [{ say, isWhole: (heard) => heard.length >= 4 }, { say: disconnectPacket() }]);
  },

  nats: ({ url }) => {
    const hasPong = (heard) => heard.includes('PONG\r\n');
    return dialogue(portOf(url), [
      { isWhole: (heard) => heard.endsWith('\r\n') },
      { say: 'CONNECT {"verbose":false,"lang":"node","version":"1"}\r\nPING\r\n', isWhole: hasPong },
      { say: 'PING\r\n', isWhole: hasPong },
    ]);
  },

  rabbitmq: ({ url }) => {
    const isWhole = (heard) => heard.endsWith('\xce');
    const { METHOD, byte, long, methodFrame, short, shortText } = amqp;
    const login = [amqp.table({}), shortText('PLAIN'), amqp.longText('\0guest\0guest'), shortText('en_US')];
    const tuneOk = methodFrame(0, METHOD.connectionTuneOk, short(1), long(131_072), short(0));
    const open = methodFrame(0, METHOD.connectionOpen, shortText('/'), shortText(''), byte(0));
    return dialogue(portOf(url), [
      { say: amqp.PROTOCOL_HEADER, isWhole },
      { say: methodFrame(0, METHOD.connectionStartOk, ...login), isWhole },
      { say: Buffer.concat([tuneOk, open]), isWhole },
      { say: methodFrame(0, METHOD.connectionClose, short(200), shortText(''), short(0), short(0)), isWhole },
    ]);
  },

  prometheus: ({ url, query }) => {
    return async () => JSON.parse(await ask(`${url}/api/v1/query?query=${encodeURIComponent(query)}`));
  },

  statuspage: ({ url }) => {
    return async () => JSON.parse(await ask(`${url}/api/v2/summary.json`));
  },

  credential: ({ url, token }) => {
    return () => ask(url, { headers: { Authorization: `Bearer ${token}` } });
  },

  'selenium-grid': ({ url }) => {
    const question = JSON.stringify({ query: '{ grid { sessionQueueSize } }' });
    return async () => {
      JSON.parse(await ask(`${url}/status`));
      JSON.parse(await ask(`${url}/graphql`, { method: 'POST' }, question));
    };
  },

  supervisor: ({ url, program }) => {
    const call = writeCall('supervisor.getProcessInfo', [program]);
    return async () => readAnswer(await ask(`${url}/RPC2`, { method: 'POST' }, call));
  },

  process: ({ name }) => {
    return async () => {
      const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
      return pids.filter((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').includes(`(${name})`));
    };
  },

  icmp: ({ host }) => {
    return () => untilDone((done) => execFile('ping', ['-n', '-c', '1', '--', host], done));
  },

  exec: ({ argv: [program, ...rest] }) => {
    return () => untilDone((done) => execFile(program, rest, done));
  },

  docker: ({ container, socket: socketPath }) => {
    const engine = new Docker({ socketPath, headers: { Connection: 'close' } });
    return () => engine.getContainer(container).inspect();
  },
};

/** Resolves with the body. */
function ask(url, options, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent: false, ...options }, (response) => {
      let heard = '';
      response.on('data', (chunk) => {
        heard += chunk;
      });
      response.on('end', () => resolve(heard));
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** `done` takes an error, or nothing. */
function untilDone(start) {
  return new Promise((resolve, reject) => start((error) => (error ? reject(error) : resolve())));
}

function destroyOn(event, socket, done) {
  socket.on('error', done);
  socket.once(event, () => {
    socket.destroy();
    done();
  });
}

/** Says each line once the answer to the one before is whole; nobody waits for an answer to the last one without `isWhole`. */
function dialogue(port, lines) {
  return () =>
    untilDone((done) => {
      const socket = connect(port, HOST);
      let heard = '';
      let at = -1;
      const next = () => {
        at += 1;
        heard = '';
        const line = lines[at];
        if (line?.say) socket.write(line.say);
        if (line?.isWhole) return;
        socket.destroy();
        done();
      };
      socket.on('error', done);
      socket.on('connect', next);
      socket.on('data', (chunk) => {
        heard += chunk.toString('latin1');
        if (lines[at]?.isWhole?.(heard)) next();
      });
    });
}

function portOf(url) {
  return Number(new URL(url).port);
}
