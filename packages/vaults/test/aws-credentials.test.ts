import { expect, test } from 'vitest';
import { aws } from '../src/aws/index.ts';

const keys = { access_key_id: 'AKIAIOSFODNN7EXAMPLE', secret_access_key: 'not/a+key=' };

test.for<[string, string, object]>([
  ['our members', JSON.stringify(keys), keys],
  [
    'what `aws sts assume-role` prints',
    JSON.stringify({
      Credentials: {
        AccessKeyId: 'ASIA1',
        SecretAccessKey: 's',
        SessionToken: 't',
        Expiration: '2026-01-01T00:00:00Z',
      },
      AssumedRoleUser: {},
    }),
    { access_key_id: 'ASIA1', secret_access_key: 's', session_token: 't' },
  ],
  [
    'what `aws iam create-access-key` prints',
    JSON.stringify({ AccessKey: { UserName: 'u', AccessKeyId: 'AKIA1', SecretAccessKey: 's' } }),
    { access_key_id: 'AKIA1', secret_access_key: 's' },
  ],
  [
    'a profile',
    '[default]\r\naws_access_key_id = AKIA1\r\naws_secret_access_key=a=b\r\nregion = us-east-1\r\n',
    { access_key_id: 'AKIA1', secret_access_key: 'a=b' },
  ],
  [
    'the default among profiles',
    '[other]\naws_access_key_id=x\n[default]\naws_access_key_id=AKIA1\naws_secret_access_key=s\n[profile last]\n',
    { access_key_id: 'AKIA1', secret_access_key: 's' },
  ],
  [
    'variables of a shell',
    'export AWS_ACCESS_KEY_ID="AKIA1"\nexport AWS_SECRET_ACCESS_KEY=s\nexport AWS_SESSION_TOKEN=t\n',
    { access_key_id: 'AKIA1', secret_access_key: 's', session_token: 't' },
  ],
  [
    'a role beside keys',
    '[a]\naws_access_key_id=AKIA1\naws_secret_access_key=s\nrole_arn=arn:aws:iam::111122223333:role/x\nexternal_id=e1\n',
    { access_key_id: 'AKIA1', secret_access_key: 's', role_arn: 'arn:aws:iam::111122223333:role/x', external_id: 'e1' },
  ],
])('%s gives the members of auth', ([, text, members]) => {
  expect(aws.credentials('static', text)).toEqual(members);
});

test('a web identity token stands by itself', () => {
  expect(aws.credentials('web_identity', 'aaa.bbb.ccc\n')).toEqual({ token: 'aaa.bbb.ccc' });
});

test.for<[string, string]>([
  ['nothing', ''],
  ['cut off JSON', '{"canary": '],
  ['a list', '["canary"]'],
  ['other text', 'canary'],
  ['a profile without keys', '[default]\nregion=canary\n'],
  ['several profiles and no default', '[a]\naws_access_key_id=canary\n[b]\naws_access_key_id=canary\n'],
])('%s is refused without a part of it', ([, text]) => {
  try {
    expect(aws.credentials('static', text)).toBe('refused');
  } catch (error) {
    expect(error).toMatchObject({ code: 'config_invalid' });
    expect(String(error)).not.toContain('canary');
  }
});
