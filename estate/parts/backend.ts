/** The backend API: HTTP and WebSocket, in a container. */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { freePort } from '../../test/estate/daemon.ts';
import type { Server } from '../engine.ts';
import { type Ground, given, type Part, type StartedPart } from '../part.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const BACKEND_VERSION = '2.0.1';

/** A group of routes, or `health`, `websocket`, `sessions`. */
export type BackendFault = string;

export interface Backend extends StartedPart {
  readonly server: Server;
  /** What is wrong with it from now on; none mends it. */
  fail(...faults: readonly BackendFault[]): Promise<void>;
}

async function start({ engine, folder: home }: Ground): Promise<Backend> {
  const folder = join(home, 'backend');
  await mkdir(folder);
  const faultsFile = join(folder, 'faults.json');
  const fail = async (...faults: readonly BackendFault[]) => {
    // It never reads half of it.
    await writeFile(`${faultsFile}.new`, JSON.stringify(faults));
    await rename(`${faultsFile}.new`, faultsFile);
  };
  await fail();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const server = await engine.run({
    name: 'estate-backend',
    argv: [
      ...([process.execPath, '--import', join(ROOT, 'node_modules/jiti/lib/jiti-register.mjs')] as const),
      ...[join(ROOT, 'estate/programs/backend.ts'), String(port), faultsFile, BACKEND_VERSION],
    ],
    environment: { JITI_FS_CACHE: 'false' },
    folders: [folder],
    ready: async () => (await fetch(`${url}/api/v1/health`)).ok,
  });
  return {
    ...{ server, fail },
    environment: given({
      ...{ BACKEND_CONTAINER: server.container, BACKEND_URL: url, BACKEND_VERSION },
      ...{ BACKEND_WEBSOCKET_URL: `${url.replace('http', 'ws')}/ws`, BACKEND_WEBSOCKET_AUTHORIZATION: 'Bearer any' },
      ...{ SESSION_CHECK_USER: 'check@example.com', SESSION_CHECK_PASSWORD: 'any-password-will-do' },
    }),
    stop: () => server.stop(),
  };
}

export const backend: Part<Backend> = {
  summary: 'The backend API with its groups of routes, a WebSocket and sessions',
  needs: {},
  start,
};
