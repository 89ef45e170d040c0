import swagger from '@fastify/swagger';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import type { Api } from './create-api.ts';

const tags = [
  'secrets',
  'backends',
  'cycles',
  'holds',
  'conflicts',
  'failures',
  'keys',
  'backups',
  'events',
  'notifications',
  'identities',
  'policies',
  'tenants',
  'encryption',
  'audit',
  'health',
];

type Transform = typeof jsonSchemaTransform;

/** Gathers the routes' schemas into the document at /openapi.json, which anyone may read. */
export async function describeApi(app: Api): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Keyferry',
        version: '1',
        description:
          'Carries secrets out of the vaults a company has into one encrypted key store. A request is for the tenant of whose token it brings; an operator names another one, by id or name, in the header x-keyferry-tenant.',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      tags: tags.map((name) => ({ name })),
    },
    transform: withNamedPath,
    transformObject: jsonSchemaTransformObject,
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
}

/** Fastify calls the part that may have slashes `*`; OpenAPI wants a name. */
const withNamedPath: Transform = (route) => {
  const { schema, url } = jsonSchemaTransform(route);
  if (!url.endsWith('/*')) return { schema, url };
  return JSON.parse(
    JSON.stringify({ schema, url: url.replace(/\*$/, ':path') }, (key, value) =>
      key === 'params' ? { ...value, properties: { path: value.properties['*'] }, required: ['path'] } : value,
    ),
  );
};
