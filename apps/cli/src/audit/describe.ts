import type { VerifiedAnswer } from '@keyferry/contracts';
import { plural } from '../output/format.ts';
import type { Output } from '../output/output.ts';
import { printable } from '../output/printable.ts';

/** What came of a verification, for which so many anchors were given, in a few lines. */
export function verifiedText(output: Output, verified: VerifiedAnswer, given: number): string {
  const { rows, batches, from, head, anchors, rows_per_second, unsealed, broken } = verified;
  return [
    broken === null
      ? output.style('green', 'The audit log is as it was written.')
      : output.style('red', `The audit log was altered: ${printable(broken.reason)}.`),
    ...(broken === null ? [] : [placeOf(broken), printable(broken.action)]),
    `Checked ${plural(rows, 'row')} in ${batches} batches after number ${from}, ${rows_per_second} rows a second.`,
    `The chain ${broken === null ? 'ends' : 'is whole up to'} number ${head.number}: ${head.hash}`,
    ...(anchors > 0 ? [`Compared with ${plural(anchors, 'anchor')}.`] : []),
    ...(broken === null && given > anchors ? [silentText(given - anchors, given)] : []),
    unsealed.rows === 0
      ? 'All of it is sealed.'
      : `Not sealed yet, and not checked: ${plural(unsealed.rows, 'row')}, the oldest of ${unsealed.since}.`,
  ].join('\n');
}

function placeOf({ number, batch, place, at }: NonNullable<VerifiedAnswer['broken']>): string {
  const parts = [
    `number ${number} of the chain`,
    batch === null ? null : `batch ${batch}`,
    place === null ? null : `place ${place}`,
    at,
  ];
  return `First at ${parts.filter((part) => part !== null).join(', ')}.`;
}

/** Whoever owns the database can say that something was pruned: then this is what shows it. */
const silentText = (silent: number, given: number): string =>
  `${silent} of ${plural(given, 'anchor')} ${silent === 1 ? 'shows nothing: what it tells' : 'show nothing: what they tell'} of was pruned.`;
