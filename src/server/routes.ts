/** Every route there is. One that is not in this table does not exist, and one without access is refused. */
import { z } from 'zod';
import { changes } from './api-changes.ts';
import { reads } from './api-reads.ts';
import { openApiDocument } from './openapi.ts';
import { operations } from './operations.ts';
import { pages } from './pages.ts';
import { probeOnDemand } from './probe.ts';
import { type ApiRoute, get, type Route } from './route.ts';

const documented: readonly ApiRoute[] = [...reads, ...changes];

const openApi = get({
  path: '/api/v1/openapi.json',
  summary: 'This API',
  response: z.record(z.string(), z.unknown()),
  answer: (_input, { version }) => openApiDocument(documented, version),
});

export const routes: readonly Route[] = [...operations, probeOnDemand, ...pages, ...documented, openApi];
