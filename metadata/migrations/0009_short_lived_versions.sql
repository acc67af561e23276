-- A file that is appended to every second would keep its every state for as long as history is kept.
-- What was the file for less than a minute before it was replaced is not kept; what was removed is.
CREATE INDEX versions_short_lived ON versions (replaced_at)
  WHERE removed_path IS NULL AND replaced_at - created_at < interval '1 minute';

CREATE OR REPLACE FUNCTION shoebox_prune(p_keep_seconds bigint, p_limit integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  present timestamptz := clock_timestamp();
  accounts_ bigint[];
  versions_ bigint[];
  object_accounts bigint[];
  objects_ bigint[];
  short_accounts bigint[];
  short_versions bigint[];
BEGIN
  SELECT array_agg(v.account_id), array_agg(v.id) INTO accounts_, versions_
  FROM (SELECT account_id, id FROM versions
        WHERE replaced_at <= present - p_keep_seconds * interval '1 second'
        ORDER BY replaced_at LIMIT p_limit FOR UPDATE SKIP LOCKED) v;
  SELECT array_agg(v.account_id), array_agg(v.id) INTO short_accounts, short_versions
  FROM (SELECT account_id, id FROM versions
        WHERE removed_path IS NULL AND replaced_at - created_at < interval '1 minute'
          AND replaced_at <= present - interval '1 minute'
          AND replaced_at > present - p_keep_seconds * interval '1 second'
        ORDER BY replaced_at LIMIT p_limit - coalesce(cardinality(versions_), 0)
        FOR UPDATE SKIP LOCKED) v;
  accounts_ := accounts_ || short_accounts;
  versions_ := versions_ || short_versions;
  DELETE FROM node_successors s USING (
    SELECT account_id, node_id FROM node_successors
    WHERE at <= present - greatest(p_keep_seconds * interval '1 second', interval '7 days')
    ORDER BY at LIMIT p_limit FOR UPDATE SKIP LOCKED) old
  WHERE s.account_id = old.account_id AND s.node_id = old.node_id;
  IF versions_ IS NULL THEN
    RETURN 0;
  END IF;
  -- What is deleted says which objects to look at: inline bytes may have moved to one just now.
  WITH gone AS (
    DELETE FROM extents e USING unnest(accounts_, versions_) AS v (account_id, id)
    WHERE e.account_id = v.account_id AND e.version_id = v.id
    RETURNING e.account_id, e.object_id)
  SELECT array_agg(o.account_id), array_agg(o.object_id) INTO object_accounts, objects_
  FROM (SELECT DISTINCT account_id, object_id FROM gone WHERE object_id IS NOT NULL) o;
  DELETE FROM versions v USING unnest(accounts_, versions_) AS gone (account_id, id)
  WHERE v.account_id = gone.account_id AND v.id = gone.id;
  IF objects_ IS NOT NULL THEN
    PERFORM 1 FROM unnest(object_accounts, objects_) AS f (account_id, id)
    JOIN objects o ON o.account_id = f.account_id AND o.id = f.id
    ORDER BY o.account_id, o.id FOR UPDATE OF o;
    UPDATE objects o SET state = 'dead', dead_at = present
    FROM unnest(object_accounts, objects_) AS f (account_id, id)
    WHERE o.account_id = f.account_id AND o.id = f.id AND o.state = 'live'
      AND NOT EXISTS (SELECT 1 FROM extents e
                      WHERE e.account_id = o.account_id AND e.object_id = o.id);
  END IF;
  RETURN cardinality(versions_);
END $$;
