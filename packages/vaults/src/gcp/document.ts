import { z } from 'zod';

/** What a document of credentials says, or what is wrong with it in words that go after its name; never a part of it. */
export type Read<Content> = { content: Content } | { problem: string };

/** Documents of Google's that people take for the one that is wanted. */
const otherTypes: Record<string, string> = {
  service_account: 'is the key of a service account: use the method service_account',
  external_account: 'is a configuration of workload identity: use the method workload_identity',
  authorized_user: 'holds the credentials of a person: use the key file of a service account',
  impersonated_service_account: 'acts as a service account for another identity, which is not supported',
  external_account_authorized_user: 'holds the credentials of a person: use the key file of a service account',
};

/** The type that a document of Google's says it has, or null if it is none. */
export function typeOf(text: string): string | null {
  const parsed = parse(text);
  return typeof parsed?.type === 'string' ? parsed.type : null;
}

/** Reads a document of this type, told by its own schema, whose messages name the member that is wrong. */
export function readDocument<Content>(text: string, type: string, schema: z.ZodType<Content>): Read<Content> {
  const parsed = parse(text);
  if (parsed === null) return { problem: 'is no JSON object: give the whole text of the file that Google gave' };
  if (parsed.type !== type) {
    const other = typeof parsed.type === 'string' && Object.hasOwn(otherTypes, parsed.type) ? parsed.type : '';
    return {
      problem: otherTypes[other] ?? `is no document of the type ${type}: its member type is missing or another`,
    };
  }
  const universe = parsed.universe_domain ?? 'googleapis.com';
  if (universe !== 'googleapis.com') return { problem: 'is of another universe_domain than googleapis.com' };
  const read = schema.safeParse(parsed);
  if (read.success) return { content: read.data };
  return { problem: `can’t be used: ${read.error.issues[0]?.message ?? 'a member is wrong'}` };
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export const member = (name: string) =>
  z.string(`its member ${name} is missing or no text`).min(1, `its member ${name} is empty`);
