import { isObject, KeyferryError } from '@keyferry/core';

type Members = Record<string, unknown>;

/** Our members by the names that Amazon's own documents give them, in lower case. */
const ownNames: Record<string, string> = {
  accesskeyid: 'access_key_id',
  secretaccesskey: 'secret_access_key',
  sessiontoken: 'session_token',
  token: 'session_token',
  aws_access_key_id: 'access_key_id',
  aws_secret_access_key: 'secret_access_key',
  aws_session_token: 'session_token',
  aws_role_arn: 'role_arn',
  aws_role_session_name: 'session_name',
  aws_web_identity_token_file: 'token_file',
  role_arn: 'role_arn',
  external_id: 'external_id',
  role_session_name: 'session_name',
  web_identity_token_file: 'token_file',
};

const jsonWebToken = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/**
 * Members of `auth` in a document: JSON of our members or of Amazon's, as `aws sts assume-role` and IAM give them, a
 * profile of a shared credentials file, variables as a shell sets them, or a web identity token by itself. Throws
 * `config_invalid`, never with a part of the text.
 */
export function credentialsIn(method: string, text: string): Members {
  const trimmed = text.trim();
  if (method === 'web_identity' && jsonWebToken.test(trimmed)) return { token: trimmed };
  const members = trimmed.startsWith('{') ? membersOfJson(trimmed) : membersOfProfile(trimmed);
  if (Object.keys(members).length === 0) throw unusable('holds no credentials of AWS');
  return members;
}

function membersOfJson(text: string): Members {
  const document = parse(text);
  const nested = document.Credentials ?? document.AccessKey ?? document;
  if (!isObject(nested)) throw unusable('holds no credentials of AWS');
  // Amazon writes its members with a capital; ours are in the document as they are to be.
  if (!Object.keys(nested).some((name) => /^[A-Z]/.test(name))) return nested;
  return renamed(Object.entries(nested));
}

function parse(text: string): Members {
  try {
    const document: unknown = JSON.parse(text);
    if (isObject(document)) return document;
  } catch {
    // Said below, without the parser's message, which repeats the text.
  }
  throw unusable('is not JSON');
}

/** The profile `default`, or the only one. Lines before any heading are one without a name. */
function membersOfProfile(text: string): Members {
  const profiles = new Map<string, [string, string][]>();
  let current: [string, string][] = [];
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\s*\[\s*(?:profile\s+)?([^\]]+?)\s*\]/.exec(line)?.[1];
    const [, name, value] = /^\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (heading !== undefined) {
      current = profiles.get(heading) ?? [];
      profiles.set(heading, current);
    } else if (name !== undefined && value !== undefined) {
      current.push([name, value.replace(/^(["'])(.*)\1$/, '$2')]);
      if (profiles.size === 0) profiles.set('', current);
    }
  }
  const chosen = profiles.get('default') ?? (profiles.size === 1 ? [...profiles.values()][0] : undefined);
  if (chosen === undefined && profiles.size > 1) throw unusable('has several profiles, and none is named default');
  return renamed(chosen ?? []);
}

function renamed(entries: [string, unknown][]): Members {
  return Object.fromEntries(
    entries.flatMap(([name, value]) => {
      const own = ownNames[name.toLowerCase()];
      return own === undefined ? [] : [[own, value]];
    }),
  );
}

function unusable(why: string): KeyferryError {
  return new KeyferryError('config_invalid', `The document of credentials ${why}.`);
}
