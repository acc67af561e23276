-- shoebox_publish of migration 5 with the checksums of migration 12; it also says whether a job should
-- join the content, so that publishing is one statement. Servers of earlier releases that still run
-- call the earlier ones.
CREATE FUNCTION shoebox_publish(
  p_account bigint, p_node bigint, p_size bigint, p_sha256 bytea, p_mime text,
  p_offsets bigint[], p_lengths bigint[], p_objects bigint[], p_object_offsets bigint[],
  p_inline bytea,
  p_finished bigint[], p_finished_sizes bigint[], p_finished_sha256 text[],
  p_finished_etags text[], p_finished_mimes text[],
  p_mode integer, p_uid bigint, p_gid bigint, p_atime bigint, p_mtime bigint,
  p_incomplete boolean, p_user bigint, p_finished_crc32c bigint[], p_scattered boolean,
  OUT node_id bigint, OUT version_id bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  at timestamptz;
  n nodes;
  target bigint := p_node;
  version bigint;
  quota bigint;
  used bigint;
  touched bigint;
  named bigint[] := array_remove(p_objects, NULL);
  shares boolean := NOT array_remove(p_objects, NULL) <@ p_finished;
BEGIN
  -- A file that was moved onto another one lives on as that one.
  LOOP
    SELECT * INTO n FROM nodes WHERE account_id = p_account AND id = target FOR NO KEY UPDATE;
    EXIT WHEN FOUND;
    SELECT s.successor_id INTO target FROM node_successors s
    WHERE s.account_id = p_account AND s.node_id = target;
    IF NOT FOUND THEN
      RETURN;
    END IF;
  END LOOP;
  IF n.kind <> 'file' THEN
    RAISE EXCEPTION USING ERRCODE = 'SB008', MESSAGE = 'only a file has contents';
  END IF;
  at := clock_timestamp();

  IF cardinality(p_finished) > 1 OR shares THEN
    PERFORM 1 FROM objects o
    WHERE o.account_id = p_account AND (o.id = ANY (p_finished) OR o.id = ANY (named))
    ORDER BY o.id FOR NO KEY UPDATE;
  END IF;
  -- The collector may have claimed an object whose lease ended: then it is lost, and so is all of this.
  IF cardinality(p_finished) > 0 THEN
    UPDATE objects o
    SET state = CASE WHEN f.id = ANY (named) THEN 'live' ELSE 'dead' END,
        dead_at = CASE WHEN f.id = ANY (named) THEN NULL ELSE at END,
        size = f.size, sha256 = decode(f.sha256, 'hex'), etag = f.etag, mime = f.mime,
        crc32c = f.crc32c, lease_until = NULL, upload = ''
    FROM unnest(p_finished, p_finished_sizes, p_finished_sha256, p_finished_etags, p_finished_mimes,
                p_finished_crc32c)
         AS f (id, size, sha256, etag, mime, crc32c)
    WHERE o.account_id = p_account AND o.id = f.id AND o.state = 'staging';
    GET DIAGNOSTICS touched = ROW_COUNT;
    IF touched <> cardinality(p_finished) THEN
      RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = 'a finished object is no longer staging';
    END IF;
    DELETE FROM uploads u WHERE u.account_id = p_account AND u.object_id = ANY (p_finished);
  END IF;
  -- Shared objects: one that died lately lives again.
  IF shares THEN
    UPDATE objects o SET state = 'live', dead_at = NULL
    WHERE o.account_id = p_account AND o.id = ANY (named) AND o.state = 'dead';
  END IF;
  IF cardinality(named) > 0 THEN
    SELECT count(*) INTO touched
    FROM unnest(p_objects, p_object_offsets, p_lengths) AS e (object_id, object_offset, length)
    JOIN objects o ON o.account_id = p_account AND o.id = e.object_id
    WHERE o.state = 'live' AND e.object_offset + e.length <= o.size;
    IF touched <> cardinality(named) THEN
      RAISE EXCEPTION USING ERRCODE = 'SB007', MESSAGE = 'an extent names bytes that are not there';
    END IF;
  END IF;

  INSERT INTO versions (account_id, node_id, size, sha256, mime, created_at, flatten_at)
  VALUES (p_account, target, p_size, p_sha256, p_mime, at, CASE WHEN p_scattered THEN at END)
  RETURNING id INTO version;
  INSERT INTO extents (account_id, version_id, file_offset, length, object_id, object_offset, inline)
  SELECT p_account, version, e.file_offset, e.length, e.object_id, e.object_offset,
         CASE WHEN e.object_id IS NULL THEN
           substring(p_inline FROM (1 + e.inline_end - e.length)::integer FOR e.length::integer)
         END
  FROM (
    SELECT x.*, sum(x.length) FILTER (WHERE x.object_id IS NULL) OVER (ORDER BY x.file_offset)
                AS inline_end
    FROM unnest(p_offsets, p_lengths, p_objects, p_object_offsets)
         AS x (file_offset, length, object_id, object_offset)
  ) e;
  IF n.version_id IS NOT NULL THEN
    UPDATE versions v SET replaced_at = at WHERE v.account_id = p_account AND v.id = n.version_id;
  END IF;
  UPDATE nodes x
  SET size = p_size, version_id = version, incomplete = p_incomplete,
      mode = coalesce(p_mode, x.mode), uid = coalesce(p_uid, x.uid), gid = coalesce(p_gid, x.gid),
      atime = coalesce(shoebox_time(p_atime), x.atime),
      mtime = coalesce(shoebox_time(p_mtime), at), ctime = at
  WHERE x.account_id = p_account AND x.id = target;
  INSERT INTO audit_events (account_id, at, user_id, action, node_id, detail)
  VALUES (p_account, at, p_user, 'publish', target,
          jsonb_build_object('version', version, 'size', p_size));

  -- Counters last: they are what others wait for. With a quota, growth queues on the account.
  IF p_size > n.size THEN
    SELECT a.quota_bytes INTO quota FROM accounts a WHERE a.id = p_account;
    IF quota IS NOT NULL THEN
      PERFORM 1 FROM accounts a WHERE a.id = p_account FOR NO KEY UPDATE;
      SELECT sum(u.used_bytes) INTO used FROM account_usage u WHERE u.account_id = p_account;
      IF used + p_size - n.size > quota THEN
        RAISE EXCEPTION USING ERRCODE = 'SB006', MESSAGE = 'the account''s quota is used up';
      END IF;
    END IF;
  END IF;
  IF p_size <> n.size THEN
    UPDATE account_usage u SET used_bytes = u.used_bytes + p_size - n.size
    WHERE u.account_id = p_account AND u.slot = (pg_backend_pid() % 8)::smallint;
  END IF;
  node_id := target;
  version_id := version;
END $$;
