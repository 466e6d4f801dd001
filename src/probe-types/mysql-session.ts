/** One session on a MySQL or MariaDB server, over an open connection: login, statements, an end, all within a deadline. */
import type { Socket } from 'node:net';
import type { Connection, TypeCast } from 'mysql2';
import { codeOf, PermanentError } from '../errors.ts';
import { loadLibrary } from '../library.ts';
import type { ServerUrl } from '../shared/server-url.ts';
import type { Lifeline } from './lifeline.ts';
import { explainMysql, MysqlRefusal } from './mysql-failure.ts';
import { type Greeting, MysqlStream } from './mysql-packets.ts';

type Driver = Pick<typeof import('mysql2'), 'createConnection'>;

/** Rows of one answer that are kept; one more is read, to tell that there are more. */
export const MAX_ROWS = 100;
/** COM_QUIT: without it each run would count as an aborted client. */
const QUIT = Buffer.from([1, 0, 0, 0, 1]);

export interface Answer {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
  readonly isTruncated: boolean;
}

export interface Session {
  /** A refusal of the server rejects. */
  ask(sql: string): Promise<Answer>;
  /** The same, with a refusal as an answer. */
  tryAsk(sql: string): Promise<Answer | MysqlRefusal>;
  /** Says goodbye. */
  quit(): void;
}

/** @param load for tests. */
export function loadDriver(load: () => Driver = () => loadLibrary('mysql2')): Driver {
  try {
    return load();
  } catch (error) {
    if (codeOf(error) !== 'MODULE_NOT_FOUND') throw error;
    const message = 'probes of the type mysql need the package mysql2, which is not installed: npm install mysql2';
    throw new PermanentError('driver_missing', message, { cause: error });
  }
}

/** @param upgrade shakes hands over the connection; undefined: it stays as it is. */
export async function logIn(
  driver: Driver,
  socket: Socket,
  greeting: Greeting,
  server: ServerUrl,
  upgrade: ((socket: Socket) => Promise<Socket>) | undefined,
  line: Lifeline,
): Promise<Session> {
  const stream = new MysqlStream(socket, line);
  const connection = createConnection(driver, stream, server, upgrade !== undefined);
  connection.on('error', (error) => line.fail(explainMysql(error)));
  const greet = () => stream.receive(greeting.packet);
  if (upgrade) {
    const goOn = await line.until<() => void>((done) => {
      handOverTls(connection, done);
      greet();
    });
    stream.attach(await upgrade(stream.detach()));
    line.enter('processing');
    await connected(connection, goOn, line);
  } else {
    await connected(connection, greet, line);
  }
  const tryAsk = (sql: string) => query(connection, sql, line);
  return {
    tryAsk,
    async ask(sql) {
      const answer = await tryAsk(sql);
      if (answer instanceof MysqlRefusal) throw answer;
      return answer;
    },
    quit: () => void stream.write(QUIT),
  };
}

function createConnection(driver: Driver, stream: MysqlStream, server: ServerUrl, isTls: boolean): Connection {
  return driver.createConnection({
    stream: () => stream,
    host: server.host,
    user: server.user,
    password: server.password,
    ...(server.path !== '' && { database: server.path }),
    // With it the driver asks for TLS, and knows that a password may be sent as it is.
    ...(isTls && { ssl: {} }),
    connectTimeout: 0,
    connectAttributes: { program_name: 'brainstem-probe' },
    // A server may neither ask for files nor, by the names of its columns, have code made here.
    flags: ['-LOCAL_FILES'],
    disableEval: true,
    rowsAsArray: true,
    typeCast: plainValue,
  });
}

/** Invariant: the driver's own handshake is never reached. Ours is judged by us, and its certificate seen. */
function handOverTls(connection: Connection, ready: (goOn: () => void) => void): void {
  // Not declared by its types.
  Object.assign(connection, { startTLS: ready });
}

function connected(connection: Connection, begin: () => void, line: Lifeline): Promise<void> {
  return line.until((done) => {
    connection.once('connect', () => done());
    begin();
  });
}

function query(connection: Connection, sql: string, line: Lifeline): Promise<Answer | MysqlRefusal> {
  return line.until((done) => {
    let columns: readonly string[] = [];
    const rows: unknown[][] = [];
    let isOver = false;
    const end = (result: Answer | MysqlRefusal) => {
      // More rows, or the end, come later: by then another step may be waiting.
      if (!isOver) done(result);
      isOver = true;
    };
    const finish = () => end({ columns, rows: rows.slice(0, MAX_ROWS), isTruncated: rows.length > MAX_ROWS });
    const asked = connection.query(sql);
    asked.on('error', (error) => {
      const explained = explainMysql(error);
      if (explained instanceof MysqlRefusal) end(explained);
      else line.fail(explained);
    });
    // Undefined after a statement that has no rows.
    asked.on('fields', (fields: readonly { readonly name: string }[] | undefined) => {
      columns = fields?.map(({ name }) => name) ?? [];
    });
    asked.on('result', (row: unknown) => {
      if (Array.isArray(row) && rows.push(row) > MAX_ROWS) finish();
    });
    asked.on('end', finish);
  });
}

const NUMBERS: ReadonlySet<string> = new Set([
  'TINY',
  'SHORT',
  'LONG',
  'INT24',
  'LONGLONG',
  'YEAR',
  'FLOAT',
  'DOUBLE',
  'DECIMAL',
  'NEWDECIMAL',
]);

/** Values that conditions can read: numbers, null, and text for everything else. */
const plainValue: TypeCast = (field) => {
  if (field.type === 'BIT') return bitsOf(field.buffer());
  const text = field.string('utf8');
  return text !== null && NUMBERS.has(field.type) ? Number(text) : text;
};

function bitsOf(bits: Buffer | null): number | null {
  return bits === null ? null : bits.reduce((number, byte) => number * 256 + byte, 0);
}
