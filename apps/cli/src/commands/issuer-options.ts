import { issuerKinds } from '@keyferry/contracts';
import { KeyferryError, parseJson, signingAlgorithms } from '@keyferry/core';
import { type Command, Option } from 'commander';
import { collect } from '../command.ts';
import { readText } from './set-members.ts';

/** What `issuer add` and `issuer update` take. Absent means: the default, or as it is. */
export interface IssuerOptions {
  issuer?: string;
  audience?: string[];
  algorithm?: string[];
  jwksUrl?: string;
  jwksFile?: string;
  caCert?: string;
  map?: string[];
  serviceAccount?: string[];
}

export const kindOption = new Option('--kind <kind>', 'kubernetes: a cluster’s service accounts')
  .choices(issuerKinds)
  .default('oidc');

export function addIssuerOptions(command: Command): Command {
  return command
    .option('--issuer <text>', 'exactly as its tokens have it in `iss`')
    .option('--audience <text>', 'of which a token has to have one in `aud`; repeat for more', collect)
    .option(
      '--algorithm <name>',
      `one by which it signs, of ${signingAlgorithms.join(', ')}; repeat for more (default: RS256 and ES256)`,
      collect,
    )
    .optionsGroup('Its public keys (default: from where its discovery document says):')
    .option('--jwks-url <url>', 'where they are')
    .option('--jwks-file <file>', 'they themselves, as JSON, for an issuer that can’t be asked')
    .option('--ca-cert <file>', 'PEM file of the authority that signed the issuer’s certificate')
    .optionsGroup('Whom its claims stand for; the first that matches, given all at once:')
    .option(
      '--map <mapping>',
      'an identity, and claims that all have to match: "ci sub=repo:acme/shop:* ref=refs/heads/main"; repeat for more',
      collect,
    )
    .option(
      '--service-account <mapping>',
      'an identity, and a Kubernetes service account: "ci prod/deployer"; repeat for more',
      collect,
    )
    .optionsGroup('Options:');
}

/** The settings that options say, as the API takes them, which checks them. Throws `usage_invalid`. */
export async function issuerSettings(options: IssuerOptions): Promise<Record<string, unknown>> {
  const { jwksUrl, jwksFile, caCert, map, serviceAccount } = options;
  const mappings = [...(map ?? []).map(claimMapping), ...(serviceAccount ?? []).map(accountMapping)];
  const settings = {
    issuer: options.issuer,
    audiences: options.audience,
    algorithms: options.algorithm,
    ...(jwksUrl !== undefined && { jwks_url: jwksUrl, jwks: null }),
    ...(jwksFile !== undefined && { jwks: await readKeys(jwksFile), jwks_url: null }),
    ca_cert: caCert && (await readText(caCert)),
    mappings: map || serviceAccount ? mappings : undefined,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

async function readKeys(file: string): Promise<unknown> {
  const keys = parseJson(await readText(file));
  if (keys === undefined) throw new KeyferryError('usage_invalid', `The file ${file} has no JSON.`);
  return keys;
}

function claimMapping(given: string) {
  const [identity = '', ...wanted] = given.trim().split(/\s+/);
  const claims = wanted.map((part) => {
    const [, name, text] = /^([^=]+)=(.+)$/.exec(part) ?? [];
    if (!name || !text) throw new KeyferryError('usage_invalid', `--map: "${part}" is not <claim>=<text>.`);
    return [name, text];
  });
  if (claims.length === 0)
    throw new KeyferryError('usage_invalid', `--map "${given}" is not an identity and claims, such as "ci sub=me".`);
  return { identity, claims: Object.fromEntries(claims) };
}

function accountMapping(given: string) {
  const [, identity, namespace, name] = /^\s*(\S+)\s+([a-z0-9.-]+)\/([a-z0-9.-]+)\s*$/.exec(given) ?? [];
  if (!identity)
    throw new KeyferryError(
      'usage_invalid',
      `--service-account "${given}" is not an identity and an account, such as "ci prod/deployer".`,
    );
  return { identity, claims: { sub: `system:serviceaccount:${namespace}:${name}` } };
}
