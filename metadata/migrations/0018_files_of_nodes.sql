-- A file that is moved onto another one gets that one's node, so that what is attached to it stays. Who
-- has the replaced file open, on whichever server, must not commit over what replaced it; and what is
-- on its way to the file that moved has to find it.
ALTER TABLE nodes ADD COLUMN file_id bigint;
COMMENT ON COLUMN nodes.file_id IS
  'Which file it is, for those who have it open: the id of the node that it was made as; null: this one.';
ALTER TABLE uploads ADD COLUMN file_id bigint;
COMMENT ON COLUMN uploads.file_id IS 'As nodes.file_id: the upload is of no use to another file; null: node_id.';
DROP INDEX uploads_of_file;
CREATE INDEX uploads_of_file
  ON uploads (account_id, coalesce(file_id, node_id), started_at, object_id);

-- Who has a new file open that nobody has committed yet has to know whether it was removed, or a crash
-- of the database took it back.
ALTER TABLE node_successors ALTER COLUMN successor_id DROP NOT NULL;
COMMENT ON COLUMN node_successors.successor_id IS 'null: the file was removed, before any content of it was committed.';

-- The node that a file has now, locked until the end of the transaction; no row if it has none. p_node
-- is one that it had.
CREATE FUNCTION shoebox_lock_file(p_account bigint, p_node bigint, p_file bigint) RETURNS SETOF nodes
LANGUAGE plpgsql AS $$
DECLARE
  n nodes;
  target bigint := p_node;
BEGIN
  LOOP
    SELECT * INTO n FROM nodes WHERE account_id = p_account AND id = target FOR NO KEY UPDATE;
    EXIT WHEN FOUND;
    SELECT s.successor_id INTO target FROM node_successors s
    WHERE s.account_id = p_account AND s.node_id = target;
    IF NOT FOUND THEN
      RETURN;
    END IF;
  END LOOP;
  IF p_file IS NULL OR coalesce(n.file_id, n.id) = p_file THEN
    RETURN NEXT n;
  END IF;
END $$;

-- shoebox_publish of migration 16, for this file only (null: whichever has the node).
CREATE FUNCTION shoebox_publish_file(
  p_account bigint, p_node bigint, p_file bigint, p_size bigint, p_sha256 bytea, p_mime text,
  p_offsets bigint[], p_lengths bigint[], p_objects bigint[], p_object_offsets bigint[],
  p_inline bytea,
  p_finished bigint[], p_finished_sizes bigint[], p_finished_sha256 text[],
  p_finished_etags text[], p_finished_mimes text[],
  p_mode integer, p_uid bigint, p_gid bigint, p_atime bigint, p_mtime bigint,
  p_incomplete boolean, p_user bigint, p_finished_crc32c bigint[], p_scattered boolean,
  OUT node_id bigint, OUT version_id bigint)
LANGUAGE plpgsql AS $$
DECLARE
  n nodes;
BEGIN
  SELECT * INTO n FROM shoebox_lock_file(p_account, p_node, p_file);
  IF NOT FOUND THEN
    RETURN;
  END IF;
  SELECT p.node_id, p.version_id INTO node_id, version_id
  FROM shoebox_publish(
    p_account, n.id, p_size, p_sha256, p_mime, p_offsets, p_lengths, p_objects, p_object_offsets,
    p_inline, p_finished, p_finished_sizes, p_finished_sha256, p_finished_etags, p_finished_mimes,
    p_mode, p_uid, p_gid, p_atime, p_mtime, p_incomplete, p_user, p_finished_crc32c, p_scattered) p;
END $$;

-- Of migration 17, telling what became of the files.
CREATE OR REPLACE FUNCTION shoebox_remove_node(
  p_account bigint, p_node bigint, OUT removed boolean, OUT parent bigint)
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz;
  n nodes;
BEGIN
  removed := false;
  LOOP
    SELECT parent_id INTO parent FROM nodes WHERE account_id = p_account AND id = p_node;
    IF NOT FOUND THEN
      RETURN;
    ELSIF parent IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'SB008', MESSAGE = 'the root stays';
    END IF;
    PERFORM 1 FROM nodes WHERE account_id = p_account AND id IN (p_node, parent)
    ORDER BY id FOR UPDATE;
    SELECT * INTO n FROM nodes WHERE account_id = p_account AND id = p_node;
    IF NOT FOUND THEN
      RETURN;
    END IF;
    EXIT WHEN n.parent_id = parent;  -- Else it was moved while we waited for the locks.
  END LOOP;
  PERFORM 1 FROM nodes WHERE account_id = p_account AND parent_id = p_node LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SB003', MESSAGE = 'the directory has entries';
  END IF;
  at := clock_timestamp();
  IF n.version_id IS NOT NULL THEN
    UPDATE versions SET replaced_at = at, removed_path = shoebox_node_path(p_account, p_node)
    WHERE account_id = p_account AND id = n.version_id;
  ELSIF n.kind = 'file' THEN
    INSERT INTO node_successors (account_id, node_id, at) VALUES (p_account, p_node, at);
  END IF;
  DELETE FROM nodes WHERE account_id = p_account AND id = p_node;
  UPDATE nodes SET mtime = at, ctime = at WHERE account_id = p_account AND id = parent;
  UPDATE account_usage
  SET files = files - 1, used_bytes = used_bytes - CASE n.kind WHEN 'file' THEN n.size ELSE 0 END
  WHERE account_id = p_account AND slot = (pg_backend_pid() % 8)::smallint;
  removed := true;
END $$;

CREATE OR REPLACE FUNCTION shoebox_replace_node(
  p_account bigint, p_source bigint, p_target bigint,
  OUT node bigint, OUT s_parent bigint, OUT t_parent bigint)
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz;
  s nodes;
  t nodes;
BEGIN
  LOOP
    SELECT * INTO s FROM nodes WHERE account_id = p_account AND id = p_source;
    SELECT * INTO t FROM nodes WHERE account_id = p_account AND id = p_target;
    IF s.id IS NULL OR t.id IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'SB001', MESSAGE = 'an entry is gone';
    ELSIF p_source = p_target THEN
      node := p_target;
      RETURN;
    ELSIF s.parent_id IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'SB005', MESSAGE = 'the root stays';
    ELSIF (s.kind = 'directory') <> (t.kind = 'directory') THEN
      RAISE EXCEPTION USING ERRCODE = 'SB004', MESSAGE = 'only one of them is a directory';
    ELSIF t.parent_id IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'SB003', MESSAGE = 'the root has entries';
    END IF;
    IF s.kind = 'directory' THEN
      PERFORM shoebox_lock_directories(p_account);
    END IF;
    s_parent := s.parent_id;
    t_parent := t.parent_id;
    PERFORM 1 FROM nodes
    WHERE account_id = p_account AND id IN (p_source, p_target, s_parent, t_parent)
    ORDER BY id FOR UPDATE;
    SELECT * INTO s FROM nodes WHERE account_id = p_account AND id = p_source;
    SELECT * INTO t FROM nodes WHERE account_id = p_account AND id = p_target;
    EXIT WHEN s.parent_id = s_parent AND t.parent_id = t_parent;
  END LOOP;
  IF s.kind = 'directory' THEN
    IF shoebox_node_is_below(p_account, p_target, p_source) THEN
      RAISE EXCEPTION USING ERRCODE = 'SB005', MESSAGE = 'a directory cannot move below itself';
    END IF;
    PERFORM 1 FROM nodes WHERE account_id = p_account AND parent_id = p_target LIMIT 1;
    IF FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'SB003', MESSAGE = 'the directory has entries';
    END IF;
  END IF;
  at := clock_timestamp();
  IF s.kind = 'file' AND t.kind = 'file' THEN
    UPDATE versions SET replaced_at = at WHERE account_id = p_account AND id = t.version_id;
    UPDATE versions SET node_id = p_target WHERE account_id = p_account AND id = s.version_id;
    UPDATE nodes SET size = s.size, version_id = s.version_id, mode = s.mode, atime = s.atime,
                     mtime = s.mtime, ctime = at, incomplete = s.incomplete,
                     file_id = coalesce(s.file_id, s.id)
    WHERE account_id = p_account AND id = p_target;
    DELETE FROM nodes WHERE account_id = p_account AND id = p_source;
    INSERT INTO node_successors (account_id, node_id, successor_id, at)
    VALUES (p_account, p_source, p_target, at);
  ELSE
    UPDATE versions SET replaced_at = at, removed_path = shoebox_node_path(p_account, p_target)
    WHERE account_id = p_account AND id = t.version_id;
    IF t.kind = 'file' AND t.version_id IS NULL THEN
      INSERT INTO node_successors (account_id, node_id, at) VALUES (p_account, p_target, at);
    END IF;
    DELETE FROM nodes WHERE account_id = p_account AND id = p_target;
    UPDATE nodes SET parent_id = t_parent, name = t.name, ctime = at
    WHERE account_id = p_account AND id = p_source;
  END IF;
  UPDATE nodes SET mtime = at, ctime = at
  WHERE account_id = p_account AND id IN (s_parent, t_parent);
  UPDATE account_usage
  SET files = files - 1, used_bytes = used_bytes - CASE t.kind WHEN 'file' THEN t.size ELSE 0 END
  WHERE account_id = p_account AND slot = (pg_backend_pid() % 8)::smallint;
  node := CASE WHEN s.kind = 'file' AND t.kind = 'file' THEN p_target ELSE p_source END;
END $$;
