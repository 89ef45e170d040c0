export { formats, recognise } from './catalogue.ts';
export type { Format } from './formats/format.ts';
export { type Judge, type Judgement, parseRules } from './judge.ts';
export { judgeBy } from './judge-by.ts';
