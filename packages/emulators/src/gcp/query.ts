import { invalid } from './answer.ts';
import type { Method } from './route.ts';

/** What each method takes in the query, in the way of protobuf's JSON: `pageSize`. */
const fieldsOf: Partial<Record<Method, readonly string[]>> = {
  ListSecrets: ['pageSize', 'pageToken', 'filter'],
  CreateSecret: ['secretId'],
  UpdateSecret: ['updateMask'],
  DeleteSecret: ['etag'],
  ListSecretVersions: ['pageSize', 'pageToken', 'filter'],
};

/** What every API of Google takes beside them. */
const systemParameter = /^\$?(alt|prettyPrint|fields|key|quotaUser|callback|userIp|xgafv|uploadType)$|^\$\.xgafv$/;

export interface Query {
  fields: Record<string, string>;
  /** Whether states are to be numbers, as the client libraries ask for. */
  numericEnums: boolean;
}

/** Throws for what the method doesn't take. */
export function readQuery(text: string, method: Method): Query {
  const query: Query = { fields: {}, numericEnums: false };
  for (const [name, value] of new URLSearchParams(text)) {
    if (systemParameter.test(name)) {
      if (/alt$/.test(name)) query.numericEnums = value.includes('enum-encoding=int');
      continue;
    }
    const field = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (fieldsOf[method]?.includes(field) !== true)
      throw invalid(
        `Invalid JSON payload received. Unknown name "${name}": Cannot bind query parameter. Field '${name}' could not be found in request message.`,
      );
    query.fields[field] = value;
  }
  return query;
}

/** A number of the query, or null where it has none. */
export function integerOf({ fields }: Query, name: string): number | null {
  const text = fields[name];
  if (text === undefined || text === '') return null;
  if (!/^-?\d{1,10}$/.test(text)) throw invalid(`Invalid value at '${name}' (TYPE_INT32), "${text}"`);
  return Number(text);
}
