/**
 * The thread that holds the SQLite file. Calls of libsql are synchronous, so they happen here and nowhere else.
 * Requests are carried out in the order in which they arrive; whose turn it is, the daemon's thread decides.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type Database from 'libsql';
import { openFile } from './sqlite/file.ts';
import { type Answer, type Failure, type Numbered, OPENING, type Request, type Response } from './sqlite/protocol.ts';
import { Statements } from './sqlite/statements.ts';

const NOTHING: Answer = { columns: [], rows: [], changes: 0 };

function serve(database: Database.Database): void {
  const statements = new Statements(database);
  parentPort?.on('message', ({ id, ...request }: Numbered<Request>) => {
    send(id, () => carryOut(request, database, statements));
    if (request.kind === 'close') parentPort?.close();
  });
}

function carryOut(request: Request, database: Database.Database, statements: Statements): Answer {
  switch (request.kind) {
    case 'execute':
      return statements.execute(request.sql, request.parameters);
    case 'batch':
      return statements.executeMany(request.sql, request.width, request.cells);
    case 'script':
      database.exec(request.sql);
      return NOTHING;
    case 'rollback':
      if (database.inTransaction) database.exec('ROLLBACK');
      return NOTHING;
    case 'close':
      statements.clear();
      database.close();
      return NOTHING;
  }
}

function send(id: number, work: () => Answer): void {
  parentPort?.postMessage({ id, ...respond(work) } satisfies Numbered<Response>);
}

function respond(work: () => Answer): Response {
  try {
    return { answer: work() };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

function failureOf(thrown: unknown): Failure {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return { code: 'code' in error ? String(error.code) : 'SQLITE_ERROR', message: error.message };
}

send(OPENING, () => {
  serve(openFile(workerData.file));
  return NOTHING;
});
