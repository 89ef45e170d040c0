/**
 * Follows where the pages of one listing lead, which is nowhere after the last. A place that comes again would go in
 * circles for ever: what `circle` makes is thrown.
 */
export function pageTrail(circle: () => Error): <Place extends string | null | undefined>(next: Place) => Place {
  const met = new Set<string>();
  return (next) => {
    if (typeof next !== 'string') return next;
    if (met.has(next)) throw circle();
    met.add(next);
    return next;
  };
}
