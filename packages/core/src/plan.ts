/** What a plan says a cycle would do with one secret or key, or why it would do nothing. */
export const planWords = [
  'add',
  'update', // another value of the vault becomes the current version
  'restore',
  'expire',
  'deprecate',
  'rename',
  'hold', // the guard holds it back until a person has said so
  'missing', // it would be deprecated, but auto_deprecate is off
  'stay', // it would be deprecated or renamed, but that is not proven or not possible
  'keep', // by a person's word, or because it was changed here
  'invalid',
  'warn',
  'conflict',
  'push', // the value here is written to the vault
  'delete', // archived here, since Keyferry itself has removed it from the vault
  'skip',
  'fail',
] as const;
export type PlanWord = (typeof planWords)[number];
