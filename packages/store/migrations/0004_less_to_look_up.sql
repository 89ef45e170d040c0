-- What the discover stage has seen already, so that later stages need not look it up again.

-- Of none of the shard's refs was a key known when they were listed.
ALTER TABLE keyferry.shards ADD COLUMN all_new boolean NOT NULL DEFAULT false;

-- The path mapping under which every ref of the cycle can have its local path, and no other wants it; null where that was
-- not found.
ALTER TABLE keyferry.cycles ADD COLUMN paths_clear_under text;
