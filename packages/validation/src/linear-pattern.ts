import { RE2JS, RE2Set } from 're2js';

/**
 * Patterns that people write, matched in time linear in the text: RE2 keeps all alternatives at once and never goes
 * back, so that no pattern makes a text expensive. What remains is pattern size times text length; both are bounded.
 */

const mostCharacters = 1_000;
const mostInstructions = 2_048;

/** All patterns of one set of rules together. Each keeps an automaton, so a small one counts as this many as well. */
const mostInstructionsTogether = 65_536;
const leastInstructions = 128;

/** How much an automaton may remember, in bytes; beyond it the engine goes on without, more slowly. */
const automatonMemory = 256 * 1024;

export class LinearPattern {
  readonly source: string;
  /** The size of the compiled pattern: a character of text costs at most so many steps. */
  readonly instructions: number;
  readonly #set: RE2Set;

  constructor(source: string, set: RE2Set) {
    this.source = source;
    this.#set = set;
    this.instructions = set.prog.numInst();
  }

  test(text: string): boolean {
    return this.#set.match(text).length > 0;
  }

  /** ajv tells patterns apart by their text. */
  toString(): string {
    return this.source;
  }
}

/** Compiles the patterns of one set of rules. Each method throws an Error that says what is wrong with the pattern. */
export class PatternCompiler {
  #instructions = 0;

  /** How large all patterns compiled so far are together. */
  get instructions(): number {
    return this.#instructions;
  }

  /** RE2 syntax; matches whole texts. */
  whole(source: string): LinearPattern {
    return this.#compile(source, source, RE2Set.ANCHOR_BOTH);
  }

  /** The syntax of JSON Schema, which is JavaScript's as far as RE2 has it; matches anywhere in a text. */
  anywhere(source: string): LinearPattern {
    return this.#compile(source, RE2JS.translateRegExp(source), RE2Set.UNANCHORED);
  }

  #compile(source: string, expression: string, anchor: number): LinearPattern {
    if (source.length > mostCharacters) throw new Error('it is longer than 1,000 characters');
    const set = new RE2Set(anchor, 0, automatonMemory);
    try {
      set.add(expression);
      set.compile();
    } catch (error) {
      const words = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : 'it has no meaning';
      throw new Error(`${words.slice(0, 200)} (RE2 has neither lookaround nor backreferences)`);
    }
    const pattern = new LinearPattern(source, set);
    if (pattern.instructions > mostInstructions) throw new Error('its repetitions make it too large');
    this.#instructions += Math.max(pattern.instructions, leastInstructions);
    if (this.#instructions > mostInstructionsTogether) throw new Error('all patterns together are too large');
    return pattern;
  }
}
