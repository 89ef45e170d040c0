import type { Api } from './api.ts';
import { KeyferryClientError } from './error.ts';
import { longestReadingMs } from './freshness.ts';
import type { Item } from './messages.ts';

/** What Keyferry takes in one request. */
const mostReferences = 1_000;
const mostCharacters = 64 * 1024;
/** Requests at a time. */
const atATime = 4;

/** How long a request may take, in milliseconds: less where there is an older value to go on with. */
const patienceMs = { none: longestReadingMs, older: 2_000 };

export interface Answer {
  item: Item;
  /** When it was asked for. */
  askedAt: number;
}

/** Asks for references one by one, and sends those of the same turn of the event loop together. */
export interface Batches {
  /** Each reference at most once at a time. `hasOlder`: there is a value to go on with if Keyferry is slow. */
  ask(reference: string, hasOlder: boolean): Promise<Answer>;
}

interface Question {
  reference: string;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export function createBatches(api: Api, now: () => number): Batches {
  const waiting = { none: [] as Question[], older: [] as Question[] };
  const ready: { questions: Question[]; withinMs: number }[] = [];
  let gathering = false;
  let running = 0;

  function gather(): void {
    gathering = false;
    for (const kind of ['none', 'older'] as const)
      for (const questions of inParts(waiting[kind].splice(0))) ready.push({ questions, withinMs: patienceMs[kind] });
    while (running < atATime && ready.length > 0) void next();
  }

  async function next(): Promise<void> {
    running++;
    for (let batch = ready.shift(); batch; batch = ready.shift()) await send(batch.questions, batch.withinMs);
    running--;
  }

  async function send(questions: readonly Question[], withinMs: number): Promise<void> {
    const askedAt = now();
    try {
      const items = await api.resolve(
        questions.map(({ reference }) => reference),
        withinMs,
      );
      for (const [index, question] of questions.entries()) question.resolve({ item: items[index] as Item, askedAt });
    } catch (error) {
      if (questions.length > 1 && isTooMuch(error)) return await sendHalves(questions, withinMs);
      for (const question of questions) question.reject(error);
    }
  }

  /** What one reference has wrong, or all of them have too much, is no fault of each. */
  async function sendHalves(questions: readonly Question[], withinMs: number): Promise<void> {
    const middle = Math.ceil(questions.length / 2);
    await send(questions.slice(0, middle), withinMs);
    await send(questions.slice(middle), withinMs);
  }

  return {
    ask: (reference, hasOlder) =>
      new Promise((resolve, reject) => {
        waiting[hasOlder ? 'older' : 'none'].push({ reference, resolve, reject });
        if (gathering) return;
        gathering = true;
        setImmediate(gather);
      }),
  };
}

const isTooMuch = (error: unknown) => error instanceof KeyferryClientError && error.code === 'request_invalid';

function inParts(questions: readonly Question[]): Question[][] {
  const parts: Question[][] = [];
  let characters = 0;
  for (const question of questions) {
    const part = parts.at(-1);
    characters += question.reference.length;
    if (part && part.length < mostReferences && characters <= mostCharacters) part.push(question);
    else {
      parts.push([question]);
      characters = question.reference.length;
    }
  }
  return parts;
}
