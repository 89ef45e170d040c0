import {
  isOneStar,
  type SegmentPattern,
  type SegmentPatterns,
  segmentPattern,
  segmentPatterns,
} from './segment-pattern.ts';

/**
 * Many globs as one: their segments as a tree, in which those of a path are followed all at once. What a path costs is its
 * length times the places in the tree that it leads to, and not how many globs there are.
 */
export interface GlobTrie<End> {
  /** What belongs to a glob that `parseGlob` takes; made where it is not there yet. */
  at(glob: string, make: () => End): End;
  /** What belongs to each glob that matches a local path, in no order. */
  matching(path: string): End[];
}

interface Place<End> {
  literals: Map<string, Place<End>>;
  patterns: SegmentPatterns<Place<End>> | null;
  /** Below `*`. */
  one: Place<End> | null;
  /** Below `**`, which every further segment leads to again. */
  many: Place<End> | null;
  isMany: boolean;
  end: End | null;
  /** The step that came by last: no place is entered twice in one. */
  enteredIn: number;
}

export function createGlobTrie<End>(): GlobTrie<End> {
  const root = newPlace<End>(false);
  let step = 0;
  return {
    at(glob, make) {
      let place = root;
      for (const segment of glob.split('/')) place = childOf(place, segment);
      place.end ??= make();
      return place.end;
    },
    matching(path) {
      let places = [root];
      for (const segment of path.split('/')) {
        // No local path has one, and what is none is nobody's.
        if (segment === '') return [];
        const next: Place<End>[] = [];
        step += 1;
        const enter = (place: Place<End> | null | undefined) => {
          if (!place || place.enteredIn === step) return;
          place.enteredIn = step;
          next.push(place);
        };
        for (const place of places) {
          if (place.isMany) enter(place);
          enter(place.literals.get(segment));
          enter(place.one);
          enter(place.many);
          place.patterns?.matching(segment, enter);
        }
        if (next.length === 0) return [];
        places = next;
      }
      return places.flatMap(({ end }) => (end === null ? [] : [end]));
    },
  };
}

function newPlace<End>(isMany: boolean): Place<End> {
  return { literals: new Map(), patterns: null, one: null, many: null, isMany, end: null, enteredIn: 0 };
}

function childOf<End>(place: Place<End>, segment: string): Place<End> {
  if (segment === '**') {
    place.many ??= newPlace(true);
    return place.many;
  }
  const pattern: SegmentPattern | null = segmentPattern(segment);
  if (pattern === null) return orAdded(place.literals, segment);
  if (isOneStar(pattern)) {
    place.one ??= newPlace(false);
    return place.one;
  }
  place.patterns ??= segmentPatterns();
  return place.patterns.at(segment, pattern, () => newPlace(false));
}

function orAdded<End>(literals: Map<string, Place<End>>, segment: string): Place<End> {
  const known = literals.get(segment);
  if (known) return known;
  const added = newPlace<End>(false);
  literals.set(segment, added);
  return added;
}
