import { randomUUID } from 'node:crypto';
import type { Reply } from '../http/send.ts';
import type { Refusal } from './refusal.ts';
import type { XmlMembers } from './sts.ts';

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/';

/** Codes of signatures as the query protocol names them, where it has other names; they all are 403 there. */
const codes: Record<string, string> = {
  UnrecognizedClientException: 'InvalidClientTokenId',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  IncompleteSignatureException: 'IncompleteSignature',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  ExpiredTokenException: 'ExpiredToken',
  ThrottlingException: 'Throttling',
};

export function xmlResult(action: string, members: XmlMembers): Reply {
  const body = `<${action}Result>${xml(members)}</${action}Result>`;
  return reply(200, `<${action}Response xmlns="${namespace}">${body}${metadata()}</${action}Response>`);
}

/** `signed` says whether the request had to be signed, so that the code is about its signature. */
export function xmlRefusal({ code, message, status }: Refusal, signed: boolean): Reply {
  const own = signed ? codes[code] : undefined;
  const error = xml({ Error: { Type: 'Sender', Code: own ?? code, Message: message } });
  const found = own === undefined || own === 'Throttling' ? status : 403;
  return reply(
    found,
    `<ErrorResponse xmlns="${namespace}">${error}<RequestId>${randomUUID()}</RequestId></ErrorResponse>`,
  );
}

const metadata = () => `<ResponseMetadata><RequestId>${randomUUID()}</RequestId></ResponseMetadata>`;

function reply(status: number, body: string): Reply {
  return { status, body, headers: { 'content-type': 'text/xml' } };
}

function xml(members: XmlMembers): string {
  return Object.entries(members)
    .map(([name, value]) => `<${name}>${typeof value === 'string' ? escapeXml(value) : xml(value)}</${name}>`)
    .join('');
}

function escapeXml(text: string): string {
  return text.replace(/[<>&]/g, (character) => `&#${character.charCodeAt(0)};`);
}
