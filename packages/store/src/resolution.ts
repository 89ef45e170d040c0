import type { ConflictResolution } from '@keyferry/core';
import { sql } from 'kysely';

/** What a person said of a conflict. */
export const resolution = sql<ConflictResolution | null>`(SELECT json_build_object('keep', c.resolution,
    'remoteDigest', encode(c.remote_digest, 'hex')) FROM conflicts c WHERE c.key_id = keys.id AND c.resolution IS NOT NULL)`;
