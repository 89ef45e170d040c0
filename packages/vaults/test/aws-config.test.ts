import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { aws } from '../src/aws/index.ts';

const keys = { method: 'static', access_key_id: 'AKIAIOSFODNN7EXAMPLE', secret_access_key: 'not-a-secret-key' };
const role = 'arn:aws:iam::111122223333:role/team/keyferry';
const secretArn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:bifrost/openai-AbC123';

const parse = (settings: unknown) => aws.configSchema.safeParse(settings);
const problems = (settings: unknown) =>
  parse(settings).error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];

test('keys are enough, since the region may be the environment’s', () => {
  expect(parse({ auth: keys }).data).toEqual({ allow_http: false, recovery_window_days: 30, auth: keys });
});

test.for([
  'us-east-1',
  'us-gov-west-1',
  'cn-north-1',
  'cn-northwest-1',
  'eusc-de-east-1',
  'ap-southeast-7',
  'il-central-1',
  'mx-central-1',
  'us-isob-east-1',
  'eu-isoe-west-1',
])('%s is a region', (region) => {
  expect(parse({ region, auth: keys }).success).toBe(true);
});

test.for(['atlantis-1', 'us-east', 'us-east-99', 'us-middle-1', 'xx-east-1', 'US-EAST-1', 'us-east-1a', 'global', ''])(
  '"%s" is refused as a region, with one that is',
  (region) => {
    expect(problems({ region, auth: keys })).toEqual([
      'region: region must be the name of an AWS region, such as us-east-1 or eu-central-1',
    ]);
  },
);

describe('an ARN where something else belongs is refused by its field, with what belongs there', () => {
  test.for<[string, object, string]>([
    ['region', { region: secretArn }, 'region is an ARN; give the name of an AWS region'],
    ['kms_key_id', { kms_key_id: secretArn }, 'kms_key_id must be the id or ARN of a KMS key'],
    [
      'auth.role_arn',
      { auth: { ...keys, role_arn: secretArn } },
      'role_arn must be the ARN of an IAM role, such as arn:',
    ],
    [
      'auth.role_arn',
      { auth: { ...keys, role_arn: 'arn:aws:sts::111122223333:assumed-role/a/b' } },
      'role_arn must be the ARN of an IAM role',
    ],
    ['auth.external_id', { auth: { ...keys, role_arn: role, external_id: role } }, 'it is no ARN'],
    ['auth.session_name', { auth: { ...keys, role_arn: role, session_name: role } }, 'it is no ARN'],
    ['auth.access_key_id', { auth: { ...keys, access_key_id: role } }, 'it is no ARN'],
    [
      'auth.role_chain.0.role_arn',
      { auth: { ...keys, role_chain: [{ role_arn: 'keyferry' }] } },
      'must be the ARN of an IAM role',
    ],
  ])('%s', ([field, settings, told]) => {
    const [problem, ...others] = problems({ auth: keys, ...settings });
    expect(problem).toMatch(new RegExp(`^${field.replaceAll('.', '\\.')}: `));
    expect(problem).toContain(told);
    expect(others).toEqual([]);
  });
});

test.for<[string, object, string]>([
  ['an endpoint without encryption', { endpoint: 'http://10.0.0.1:4566' }, 'endpoint: endpoint is not encrypted'],
  [
    'a token service without encryption',
    { sts_endpoint: 'http://sts.example.com' },
    'sts_endpoint: sts_endpoint is not',
  ],
  ['an endpoint that is no URL', { endpoint: 'vpce-1.example.com' }, 'endpoint: endpoint must be a URL'],
  [
    'a recovery window that AWS has not',
    { recovery_window_days: 6 },
    'recovery_window_days: recovery_window_days must be',
  ],
  ['a window of no whole days', { recovery_window_days: 7.5 }, 'recovery_window_days: recovery_window_days must be'],
  [
    'a certificate that is none',
    { tls: { ca_cert: 'ca.pem' } },
    'tls.ca_cert: ca_cert must be PEM text, not a file name',
  ],
  [
    'a certificate that can’t be read',
    { tls: { ca_cert: '-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----' } },
    'tls.ca_cert: ca_cert is no PEM of a certificate',
  ],
  ['an unknown method', { auth: { method: 'sso' } }, 'auth.method: method must be one of static, web_identity'],
  [
    'no secret key',
    { auth: { ...keys, secret_access_key: undefined } },
    'auth.secret_access_key: secret_access_key must be text',
  ],
  [
    'temporary keys without their token',
    { auth: { ...keys, access_key_id: 'ASIAIOSFODNN7EXAMPLE' } },
    'auth.session_token: access_key_id begins with ASIA, so it is temporary',
  ],
  [
    'an external id of no role',
    { auth: { ...keys, external_id: 'abc' } },
    'auth.external_id: external_id belongs to role_arn',
  ],
  [
    'a web identity without role',
    { auth: { method: 'web_identity', token: 'a.b.c' } },
    'auth.role_arn: role_arn must be text',
  ],
  ['no token', { auth: { method: 'web_identity', role_arn: role } }, 'auth.token_file: give token or token_file'],
  [
    'a token and a file',
    { auth: { method: 'web_identity', role_arn: role, token: 'a.b.c', token_file: '/t' } },
    'auth.token_file: give token or token_file',
  ],
])('%s is refused', ([, settings, told]) => {
  expect(problems({ auth: keys, ...settings }).join('\n')).toContain(told);
});

test.for([
  '1234abcd-12ab-34cd-56ef-1234567890ab',
  'mrk-1234abcd12ab34cd56ef1234567890ab',
  'alias/team/secrets',
  'arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab',
  'arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/secrets',
])('%s is a KMS key', (kms_key_id) => {
  expect(parse({ kms_key_id, auth: keys }).success).toBe(true);
});

test('what was stored with settings is accepted again', () => {
  const ca_cert = readFileSync(new URL('fixtures/authority.pem', import.meta.url), 'utf8');
  const auth = {
    method: 'web_identity',
    role_arn: role,
    token_file: '/t',
    role_chain: [{ role_arn: role, external_id: 'x1' }],
  };
  const endpoint = 'http://127.0.0.1:4566';
  const settings = { region: 'eu-central-1', endpoint, allow_http: true, tls: { ca_cert }, auth };
  const checked = parse(settings).data;
  expect(parse(JSON.parse(JSON.stringify(checked))).data).toEqual(checked);
});

test('files and identities of the operator are told', () => {
  const config = (auth: object) => aws.configSchema.parse({ auth });
  const web = config({ method: 'web_identity', role_arn: role, token_file: '/run/token' });
  expect([aws.files?.(web), aws.ambient?.(web)]).toEqual([['/run/token'], []]);
  expect(aws.files?.(config({ method: 'web_identity', role_arn: role, token: 'a.b.c' }))).toEqual([]);
  for (const method of ['instance', 'container', 'default']) expect(aws.ambient?.(config({ method }))).toEqual(['aws']);
  expect(aws.ambient?.(config(keys))).toEqual([]);
});

test('policies are JSON that IAM takes, and the one for reading has no writes', () => {
  const actions = (policy: string) =>
    JSON.parse(policy)
      .Statement.flatMap(({ Action }: { Action: string[] }) => Action)
      .map((action: string) => action.split(':')[1]);
  expect(
    actions(aws.policies.read_only).filter((action: string) => !/^(Get|List|Describe|BatchGet)/.test(action)),
  ).toEqual([]);
  expect(actions(aws.policies.read_and_write)).toEqual(
    expect.arrayContaining([
      ...actions(aws.policies.read_only),
      'PutSecretValue',
      'CreateSecret',
      'DeleteSecret',
      'RestoreSecret',
    ]),
  );
});

describe('what is the operator’s goes to Amazon or this machine alone', () => {
  const byFile = { method: 'web_identity', role_arn: role, token_file: '/run/token' };
  const operators = [byFile, { method: 'instance' }, { method: 'container' }, { method: 'default', role_arn: role }];
  const fieldsRefused = (address: string, auth: object) =>
    problems({ endpoint: address, sts_endpoint: address, allow_http: true, auth }).map((problem) =>
      problem.replace(/ must be Amazon’s for credentials that are the operator’s.*/, ''),
    );

  test.for([
    'https://vault.example.com',
    'http://10.0.0.1:4566',
    'https://secretsmanager.us-east-1.amazonaws.com.example.com',
    'https://secretsmanager.us-east-1.amazonaws.com:8443',
    'http://secretsmanager.us-east-1.amazonaws.com',
    'https://abc123.execute-api.us-east-1.amazonaws.com',
    'https://team.s3.amazonaws.com',
    'https://sts.team.elb.us-east-1.amazonaws.com',
    'https://ec2-203-0-113-1.compute-1.amazonaws.com',
    'https://vpce-0123-abcd.vpce-svc-0456.us-east-1.vpce.amazonaws.com',
  ])('%s is refused', (address) => {
    for (const auth of operators)
      expect(fieldsRefused(address, auth)).toEqual(['endpoint: endpoint', 'sts_endpoint: sts_endpoint']);
    expect(fieldsRefused(address, keys)).toEqual([]);
    expect(fieldsRefused(address, { method: 'web_identity', role_arn: role, token: 'a.b.c' })).toEqual([]);
  });

  test.for([
    'https://sts.amazonaws.com',
    'https://secretsmanager.eu-central-1.amazonaws.com/',
    'https://secretsmanager-fips.us-gov-west-1.amazonaws.com',
    'https://sts.cn-northwest-1.amazonaws.com.cn',
    'https://secretsmanager.eusc-de-east-1.amazonaws.eu',
    'https://secretsmanager.us-east-1.api.aws',
    'https://vpce-0123-abcd.secretsmanager.us-east-1.vpce.amazonaws.com',
    'https://vpce-0123-abcd-us-east-1a.sts.us-east-1.vpce.amazonaws.com',
    'http://127.0.0.1:4566',
    'https://localhost:4566',
  ])('%s is taken', (address) => {
    for (const auth of operators) expect(fieldsRefused(address, auth)).toEqual([]);
  });
});
