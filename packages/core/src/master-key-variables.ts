import type { Environment } from './environment.ts';
import { KeyferryError } from './errors.ts';

/** Where a master key is: one of these, each of which has its own variables. */
export interface MasterKeyPlace {
  /** 32 bytes in base64. */
  text?: string | undefined;
  /** A file that holds the same text. */
  file?: string | undefined;
  transit?: TransitPlace | undefined;
  kms?: KmsPlace | undefined;
}

/** A key of the transit engine of HashiCorp Vault or OpenBao. */
export interface TransitPlace {
  /** Of the key in the vault's API: `https://vault.example:8200/v1/transit/keys/keyferry`. */
  url: string;
  token?: string | undefined;
  /** A file that holds the token. It is read at each use, so that it may be renewed by another program. */
  tokenFile?: string | undefined;
  namespace?: string | undefined;
  /** PEM file of the authority that signed the server's certificate. */
  caFile?: string | undefined;
}

/** A symmetric key of AWS KMS. Credentials come from where AWS's own tools look for them. */
export interface KmsPlace {
  /** Its id, ARN or alias. */
  key: string;
  region?: string | undefined;
  endpoint?: string | undefined;
}

/** Where the master key is, and the one before it, or the one after, that a process holds as well. */
export interface MasterKeySource extends MasterKeyPlace {
  previous?: MasterKeyPlace | undefined;
}

/** The master keys of a process's environment. Throws `config_invalid` where two are given for one. */
export function masterKeyVariables(env: Environment): MasterKeySource {
  const previous = placeFrom((name) => env[name.replace(current, before)] || undefined, before);
  return {
    ...placeFrom((name) => env[name] || undefined, current),
    previous: isNamed(previous) ? previous : undefined,
  };
}

const current = 'KEYFERRY_MASTER_KEY';
/** Stands in place of it in the names of all that belongs to the other key. */
const before = 'KEYFERRY_MASTER_KEY_PREVIOUS';

/** Whether it says where a key is. */
export const isNamed = ({ text, file, transit, kms }: MasterKeyPlace): boolean =>
  [text, file, transit, kms].some((place) => place !== undefined);

function placeFrom(variable: (name: string) => string | undefined, which: string): MasterKeyPlace {
  const text = variable('KEYFERRY_MASTER_KEY');
  const file = variable('KEYFERRY_MASTER_KEY_FILE');
  const url = variable('KEYFERRY_MASTER_KEY_TRANSIT');
  const key = variable('KEYFERRY_MASTER_KEY_KMS');
  if ([text ?? file, url, key].filter((place) => place !== undefined).length > 1)
    throw new KeyferryError(
      'config_invalid',
      `${which} is given as more than one of a key, a transit key and a KMS key.`,
    );
  const transit = url && {
    url,
    token: variable('KEYFERRY_MASTER_KEY_TRANSIT_TOKEN'),
    tokenFile: variable('KEYFERRY_MASTER_KEY_TRANSIT_TOKEN_FILE'),
    namespace: variable('KEYFERRY_MASTER_KEY_TRANSIT_NAMESPACE'),
    caFile: variable('KEYFERRY_MASTER_KEY_TRANSIT_CA_FILE'),
  };
  const kms = key && {
    key,
    region: variable('KEYFERRY_MASTER_KEY_KMS_REGION'),
    endpoint: variable('KEYFERRY_MASTER_KEY_KMS_ENDPOINT'),
  };
  return { text, file, transit: transit || undefined, kms: kms || undefined };
}
