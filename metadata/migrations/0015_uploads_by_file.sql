-- Interrupted uploads are finished file by file, what one open file wrote at once. Those that cannot
-- be finished now are tried again, but not for ever.
ALTER TABLE uploads ADD COLUMN failures integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN uploads.failures IS
  'How often it was tried in vain to finish it, after its process was gone.';
CREATE INDEX uploads_of_file ON uploads (account_id, node_id, started_at, object_id);

-- As in migration 5, but what can be finished is left to whoever finishes uploads, however long ago
-- its lease ended: after a downtime the collector may come first.
CREATE OR REPLACE FUNCTION shoebox_claim_for_deletion(
  p_keep_dead_seconds bigint, p_grace_seconds bigint, p_limit integer) RETURNS SETOF objects
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := clock_timestamp();
  grace interval := p_grace_seconds * interval '1 second';
  accounts_ bigint[];
  objects_ bigint[];
BEGIN
  SELECT array_agg(p.account_id), array_agg(p.id) INTO accounts_, objects_
  FROM (
    SELECT * FROM (
      SELECT o.account_id, o.id FROM objects o
      WHERE o.state = 'dead' AND o.dead_at <= at - p_keep_dead_seconds * interval '1 second'
        AND NOT EXISTS (SELECT 1 FROM extents e
                        WHERE e.account_id = o.account_id AND e.object_id = o.id)
      ORDER BY o.dead_at LIMIT p_limit FOR UPDATE SKIP LOCKED) dead
    UNION ALL SELECT * FROM (
      SELECT o.account_id, o.id FROM objects o
      WHERE o.state = 'staging' AND o.lease_until <= at - grace
        AND NOT EXISTS (SELECT 1 FROM uploads u
                        WHERE u.account_id = o.account_id AND u.object_id = o.id)
      ORDER BY o.lease_until LIMIT p_limit FOR UPDATE OF o SKIP LOCKED) staging
    UNION ALL SELECT * FROM (
      SELECT o.account_id, o.id FROM objects o
      WHERE o.state = 'reaping' AND o.lease_until <= at
      ORDER BY o.lease_until LIMIT p_limit FOR UPDATE SKIP LOCKED) reaping
    UNION ALL SELECT * FROM (
      SELECT o.account_id, o.id FROM objects o
      WHERE o.state = 'gone' AND o.gone_at <= at - interval '1 day'
      ORDER BY o.gone_at LIMIT p_limit FOR UPDATE SKIP LOCKED) gone
    LIMIT p_limit) p;
  IF objects_ IS NULL THEN
    RETURN;
  END IF;
  DELETE FROM uploads u USING unnest(accounts_, objects_) AS f (account_id, id)
  WHERE u.account_id = f.account_id AND u.object_id = f.id;
  -- Whatever else may be wrong: what an extent names is not deleted.
  RETURN QUERY
    UPDATE objects o SET state = 'reaping', lease_until = at + grace
    FROM unnest(accounts_, objects_) AS f (account_id, id)
    WHERE o.account_id = f.account_id AND o.id = f.id
      AND NOT EXISTS (SELECT 1 FROM extents e
                      WHERE e.account_id = o.account_id AND e.object_id = o.id)
    RETURNING o.*;
END $$;
