/** Segments of globs that have wildcards, many at a time: `svc-*`, `a*b`, `v?`. A star is one character or more. */

export interface SegmentPattern {
  /** What it begins and ends with, up to the first wildcard and from the last. */
  start: string;
  end: string;
  /** The signs between, from the first wildcard to the last. */
  between: readonly string[];
  /** The longest text between: a segment without it needs no closer look. */
  core: string;
}

/** Null for a segment without wildcards. */
export function segmentPattern(segment: string): SegmentPattern | null {
  const first = segment.search(/[*?]/);
  if (first === -1) return null;
  const last = Math.max(segment.lastIndexOf('*'), segment.lastIndexOf('?'));
  const between = segment.slice(first, last + 1);
  const core = between.split(/[*?]/).reduce((longest, text) => (text.length > longest.length ? text : longest));
  return { start: segment.slice(0, first), end: segment.slice(last + 1), between: [...between], core };
}

export const isOneStar = ({ start, end, between }: SegmentPattern): boolean =>
  start === '' && end === '' && between.length === 1 && between[0] === '*';

export interface SegmentPatterns<Found> {
  at(segment: string, pattern: SegmentPattern, make: () => Found): Found;
  /** Tells what belongs to each pattern that matches. */
  matching(segment: string, tell: (found: Found) => void): void;
}

/** Patterns by what they begin with, and among those by what they end with: few are left to be tried. */
export function segmentPatterns<Found>(): SegmentPatterns<Found> {
  const known = new Map<string, Found>();
  const byStart = new Affixes<Affixes<{ pattern: SegmentPattern; found: Found }[]>>();
  return {
    at(segment, pattern, make) {
      const there = known.get(segment);
      if (there !== undefined) return there;
      const found = make();
      known.set(segment, found);
      byStart
        .at(pattern.start, () => new Affixes())
        .at(pattern.end, () => [])
        .push({ pattern, found });
      return found;
    },
    matching(segment, tell) {
      let characters: string[] | null = null;
      for (const start of byStart.lengths) {
        if (start >= segment.length) break;
        const byEnd = byStart.get(segment.slice(0, start));
        if (!byEnd) continue;
        for (const end of byEnd.lengths) {
          if (start + end >= segment.length) break;
          for (const { pattern, found } of byEnd.get(segment.slice(segment.length - end)) ?? []) {
            if (pattern.between.length > 1 || pattern.between[0] === '?') {
              if (!segment.includes(pattern.core)) continue;
              characters ??= [...segment];
              const [from, to] = [[...pattern.start].length, characters.length - [...pattern.end].length];
              if (!stretchMatches(pattern.between, characters, from, to)) continue;
            }
            tell(found);
          }
        }
      }
    },
  };
}

/** Things by a text that others begin or end with, and the lengths of those texts from the shortest on. */
class Affixes<Thing> {
  readonly lengths: number[] = [];
  readonly #things = new Map<string, Thing>();

  get(affix: string): Thing | undefined {
    return this.#things.get(affix);
  }

  at(affix: string, make: () => Thing): Thing {
    const known = this.#things.get(affix);
    if (known !== undefined) return known;
    const made = make();
    this.#things.set(affix, made);
    if (!this.lengths.includes(affix.length)) {
      this.lengths.push(affix.length);
      this.lengths.sort((one, other) => one - other);
    }
    return made;
  }
}

/**
 * Whether signs match the characters from one place to another. Only the last star is ever made longer: what matched before
 * it can't match better.
 */
function stretchMatches(signs: readonly string[], characters: readonly string[], from: number, to: number): boolean {
  let sign = 0;
  let place = from;
  let star = -1;
  let starEnd = from;
  while (place < to) {
    if (signs[sign] === '*') {
      star = sign++;
      starEnd = ++place;
    } else if (sign < signs.length && (signs[sign] === '?' || signs[sign] === characters[place])) {
      sign += 1;
      place += 1;
    } else if (star >= 0) {
      sign = star + 1;
      place = ++starEnd;
    } else return false;
  }
  return sign === signs.length;
}
