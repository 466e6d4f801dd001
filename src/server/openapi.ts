/** The OpenAPI 3.1 document, from the same schemas that check requests and type answers. */
import { z } from 'zod';
import type { ApiRoute } from './route.ts';
import { problemDetails } from './schemas.ts';

type Json = Readonly<Record<string, unknown>>;

export function openApiDocument(routes: readonly ApiRoute[], version: string): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Brainstem', version },
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      responses: {
        Problem: {
          description: 'RFC 9457',
          content: { 'application/problem+json': { schema: schemaOf(problemDetails) } },
        },
      },
    },
    security: [{ token: [] }, {}],
  };
}

function operation({ method, path, summary, params, query, body, response }: ApiRoute): Json {
  return {
    operationId: `${method.toLowerCase()}${path.replace(/^\/api\/v1/, '').replace(/[/:.]+(\w)/g, (_all, letter: string) => letter.toUpperCase())}`,
    summary,
    parameters: [...parameters('path', params), ...parameters('query', query)],
    ...(body && { requestBody: { content: { 'application/json': { schema: schemaOf(body) } } } }),
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: schemaOf(response) } } },
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function parameters(place: 'path' | 'query', schema: z.ZodObject | undefined): Json[] {
  return Object.entries(schema?.shape ?? {}).map(([name, value]) => ({
    name,
    in: place,
    required: place === 'path',
    // Coerced values arrive as text: what the schema makes of them is what it documents.
    schema: schemaOf(value as z.ZodType, place === 'query' ? 'input' : 'output'),
  }));
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output' = 'input'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}
