-- Versions that a job should make one object of, in the order of their age. Set when such content is
-- published; pushed ahead while a process works on it; null once it is flat.
ALTER TABLE versions ADD COLUMN flatten_at timestamptz;
CREATE INDEX versions_scattered ON versions (flatten_at)
  WHERE flatten_at IS NOT NULL AND replaced_at IS NULL;
COMMENT ON COLUMN versions.flatten_at IS 'Not one whole object yet: since when a job may join it; null: nothing to join.';
COMMENT ON TABLE extents IS
  'Runs of a version''s bytes; what none covers is zeros. Their bytes never change: jobs only move them to other objects.';

UPDATE versions v SET flatten_at = v.created_at
WHERE v.replaced_at IS NULL AND (
  SELECT count(*) FROM extents e WHERE e.account_id = v.account_id AND e.version_id = v.id) > 1;

-- The store knows the parts of running uploads; nothing was ever written here.
DROP TABLE upload_parts;

-- A version's bytes are now all of one new object: staging becomes live, and what the extents named
-- before dies if nothing else names it. False, and nothing changed, if the file has other content by
-- now. Locks in the order of shoebox_publish and shoebox_prune.
CREATE FUNCTION shoebox_flatten(
  p_account bigint, p_node bigint, p_version bigint, p_object bigint, p_size bigint,
  p_sha256 bytea, p_etag text, p_mime text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  objects_ bigint[];
BEGIN
  PERFORM 1 FROM nodes n
  WHERE n.account_id = p_account AND n.id = p_node AND n.version_id = p_version
  FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN false;
  END IF;
  UPDATE versions v SET flatten_at = NULL, sha256 = coalesce(v.sha256, p_sha256)
  WHERE v.account_id = p_account AND v.id = p_version AND v.size = p_size;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = 'an object of another size than its version';
  END IF;
  UPDATE objects o
  SET state = 'live', size = p_size, sha256 = coalesce(p_sha256, v.sha256), etag = p_etag,
      mime = p_mime, lease_until = NULL, upload = ''
  FROM versions v
  WHERE o.account_id = p_account AND o.id = p_object AND o.state = 'staging'
    AND v.account_id = p_account AND v.id = p_version;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = 'a finished object is no longer staging';
  END IF;

  -- What is deleted says which objects to look at: inline bytes may have moved to one just now.
  WITH gone AS (
    DELETE FROM extents e WHERE e.account_id = p_account AND e.version_id = p_version
    RETURNING e.object_id)
  SELECT array_agg(DISTINCT g.object_id) INTO objects_ FROM gone g WHERE g.object_id IS NOT NULL;
  INSERT INTO extents (account_id, version_id, file_offset, length, object_id)
  VALUES (p_account, p_version, 0, p_size, p_object);

  -- Locked before it is asked who else names it, as in shoebox_prune.
  PERFORM 1 FROM objects o WHERE o.account_id = p_account AND o.id = ANY (objects_)
  ORDER BY o.id FOR UPDATE;
  UPDATE objects o SET state = 'dead', dead_at = clock_timestamp()
  WHERE o.account_id = p_account AND o.id = ANY (objects_) AND o.state = 'live'
    AND NOT EXISTS (SELECT 1 FROM extents e
                    WHERE e.account_id = o.account_id AND e.object_id = o.id);
  RETURN true;
END $$;
