/** What the client itself finds wrong; any other code is one of Keyferry's, listed in its docs/errors.md. */
export const clientCodes = {
  options_invalid: 'Correct the option that the message names.',
  reference_invalid: 'Write `vault.<path>`, `vault.<path>#<field>`, `env.<VAR>`, or the value itself.',
  reference_unresolved: 'Set the variable in the environment of this process.',
  references_unresolved: 'See `failures` of the error: each names its place, its reference and why.',
  configuration_invalid: 'Give a configuration that does not hold itself, nested at most 1,000 deep.',
  value_empty: 'Put the value into the vault, or take the reference out.',
  value_not_text: 'Read it with `keyferry secrets get`, which gives its bytes: the client gives text alone.',
  api_unavailable: 'Check the url, the network between, and that Keyferry runs.',
  client_closed: 'Make another client: this one was closed.',
  callback_failed: 'Mend the function that was given to `watch`: it threw.',
} as const satisfies Record<string, string>;

export type ClientCode = keyof typeof clientCodes;

/** One reference that could not be resolved. */
export interface Failure {
  /** Where in the configuration it stands, such as `database.users[0].password`. */
  readonly place: string;
  /** The reference; null where the text is none after all, and could be a secret. */
  readonly reference: string | null;
  readonly code: string;
  readonly message: string;
}

interface Facts {
  reference?: string | null;
  action?: string;
  failures?: readonly Failure[];
}

/** Whatever goes wrong. It names references, and never a value. */
export class KeyferryClientError extends Error {
  /** A code of the client, or of Keyferry: docs/errors.md there. Text, since Keyferry may be newer than this client. */
  readonly code: string;
  /** The reference that it is about, or null. */
  readonly reference: string | null;
  /** What to do about it. */
  readonly action: string;
  /** Of `resolveAll`: each reference that could not be resolved. */
  readonly failures: readonly Failure[];

  constructor(code: string, message: string, { reference = null, action, failures = [] }: Facts = {}) {
    super(message);
    this.name = 'KeyferryClientError';
    this.code = code;
    this.reference = reference;
    this.action = action ?? (isClientCode(code) ? clientCodes[code] : 'See docs/errors.md of Keyferry.');
    this.failures = failures;
  }
}

const isClientCode = (code: string): code is ClientCode => Object.hasOwn(clientCodes, code);

/** An error of the client's own. */
export function clientError(code: ClientCode, message: string, reference: string | null = null): KeyferryClientError {
  return new KeyferryClientError(code, message, { reference });
}
