interface Statement {
  Sid: string;
  Action: string[];
  Resource: string;
}

/** One account's secrets below one folder; to be filled in. */
const secrets = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:bifrost/*';

const reading: Statement[] = [
  // Both know no narrower resource. BatchGetSecretValue gives nothing that GetSecretValue is not allowed for.
  { Sid: 'List', Action: ['secretsmanager:ListSecrets', 'secretsmanager:BatchGetSecretValue'], Resource: '*' },
  {
    Sid: 'Read',
    Action: ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret', 'secretsmanager:ListSecretVersionIds'],
    Resource: secrets,
  },
];

const writing: Statement = {
  Sid: 'Write',
  Action: [
    'secretsmanager:CreateSecret',
    'secretsmanager:PutSecretValue',
    'secretsmanager:TagResource',
    'secretsmanager:DeleteSecret',
    'secretsmanager:RestoreSecret',
  ],
  Resource: secrets,
};

export const readOnly = document(reading);
export const readAndWrite = document([...reading, writing]);

function document(statements: Statement[]): string {
  const allowing = statements.map(({ Sid, ...rest }) => ({ Sid, Effect: 'Allow', ...rest }));
  return `${JSON.stringify({ Version: '2012-10-17', Statement: allowing }, null, 2)}\n`;
}
