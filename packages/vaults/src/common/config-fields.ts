import { z } from 'zod';

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export const text = (name: string) => z.string(`${name} must be text`).min(1, `${name} must not be empty`);

/** Pasted or read from a file, a credential often ends in a newline, which is no part of it. */
export const credential = (name: string) =>
  z
    .string(`${name} must be text`)
    .overwrite((value) => value.trimEnd())
    .min(1, `${name} must not be empty`);

/** What is sent in a header, where other characters would break the connection. */
export const headerCredential = (name: string) =>
  credential(name).regex(/^[\x21-\x7e]*$/, `${name} must be of ASCII characters without spaces`);

export const pem = (name: string, label: string) =>
  z
    .string(`${name} must be PEM text`)
    .regex(new RegExp(`-----BEGIN [A-Z ]*${label}-----`), `${name} must be PEM text, not a file name`);

/** A URL without credentials, query or fragment. `example` is shown where it is none. */
export const address = (name: string, example: string) =>
  z.string(`${name} is required, such as ${example}`).superRefine((value, issues) => {
    const url = URL.canParse(value) ? new URL(value) : null;
    if (!url || !/^https?:$/.test(url.protocol))
      issues.addIssue({ code: 'custom', message: `${name} must be a URL such as ${example}` });
    else if (url.username || url.password || url.search || url.hash)
      issues.addIssue({ code: 'custom', message: `${name} must not hold credentials, a query or a fragment` });
  });

export const allowHttp = z
  .boolean('allow_http must be true or false')
  .describe('Lets tokens and secrets travel unencrypted to a host that is not this machine.')
  .default(false);

/** Whether an address would send what is secret unencrypted to another machine. */
export function isUnencrypted(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'http:' && !loopback.test(hostname);
}

export const unencrypted = (name: string) =>
  `${name} is not encrypted: use https, or set allow_http to true for a network you trust`;
