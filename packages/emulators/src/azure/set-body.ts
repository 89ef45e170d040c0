import { isObject } from './jwt.ts';
import type { VersionSettings } from './secrets.ts';

/** What the service takes. */
const limits = { valueLength: 25_600, tags: 15, tagLength: 256, contentTypeLength: 255 };

export interface SetBody extends VersionSettings {
  value?: string;
}

class Refused extends Error {}

/** What a request to write or update says, or why the service refuses it. */
export function readSetBody(body: Buffer, writes: boolean): SetBody | string {
  try {
    return parse(body, writes);
  } catch (error) {
    if (error instanceof Refused) return error.message;
    throw error;
  }
}

function parse(body: Buffer, writes: boolean): SetBody {
  const fields = jsonOf(body);
  known(fields, writes ? ['value', 'contentType', 'attributes', 'tags'] : ['contentType', 'attributes', 'tags'], '');
  const { value, contentType, tags, attributes = {} } = fields;
  if (!isObject(attributes)) throw new Refused('Property attributes has invalid value');
  known(attributes, ['enabled', 'nbf', 'exp'], 'attributes.');
  const { enabled, nbf, exp } = attributes;
  if (writes && typeof value !== 'string') throw new Refused('The request body must contain the parameter value.');
  if (typeof value === 'string' && value.length > limits.valueLength)
    throw new Refused(`Secret is beyond the maximum permitted length of ${limits.valueLength} characters.`);
  return {
    ...(typeof value === 'string' && { value }),
    ...(given(contentType) && { contentType: text(contentType, limits.contentTypeLength, 'contentType') }),
    ...(given(tags) && { tags: tagsOf(tags) }),
    ...(given(enabled) && { enabled: flag(enabled) }),
    ...(given(nbf) && { notBefore: seconds(nbf, 'nbf') }),
    ...(given(exp) && { expires: seconds(exp, 'exp') }),
  };
}

function jsonOf(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString());
    if (isObject(value)) return value;
  } catch {
    // Answered as what is JSON of something else.
  }
  throw new Refused('The request body is not a valid JSON object.');
}

function known(fields: object, names: readonly string[], prefix: string): void {
  const stranger = Object.keys(fields).find((name) => !names.includes(name));
  if (stranger !== undefined) throw new Refused(`Property ${prefix}${stranger} is not known.`);
}

const given = (value: unknown) => value !== undefined && value !== null;

function text(value: unknown, most: number, name: string): string {
  if (typeof value === 'string' && value.length <= most) return value;
  throw new Refused(`Property ${name} has invalid value`);
}

function flag(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new Refused('Property attributes.enabled has invalid value');
}

function seconds(value: unknown, name: string): number {
  if (Number.isInteger(value) && Number(value) >= 0) return Number(value);
  throw new Refused(`Property attributes.${name} has invalid value`);
}

function tagsOf(value: unknown): Record<string, string> {
  if (!isObject(value)) throw new Refused('Property tags has invalid value');
  const entries = Object.entries(value);
  if (entries.length > limits.tags) throw new Refused(`There can be at most ${limits.tags} tags.`);
  return Object.fromEntries(
    entries.map(([name, tag]) => [text(name, limits.tagLength, 'tags'), text(tag, limits.tagLength, 'tags')]),
  );
}
