-- The functions of migration 4, telling which directories the entries left. Asked for beside the call,
-- it was where they had been when the statement began: another one may have moved them since.

CREATE FUNCTION shoebox_remove_node(
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
  END IF;
  DELETE FROM nodes WHERE account_id = p_account AND id = p_node;
  UPDATE nodes SET mtime = at, ctime = at WHERE account_id = p_account AND id = parent;
  UPDATE account_usage
  SET files = files - 1, used_bytes = used_bytes - CASE n.kind WHEN 'file' THEN n.size ELSE 0 END
  WHERE account_id = p_account AND slot = (pg_backend_pid() % 8)::smallint;
  removed := true;
END $$;

CREATE FUNCTION shoebox_move_node(
  p_account bigint, p_node bigint, p_parent bigint, p_name text, OUT old_parent bigint)
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz;
  n nodes;
  parent_kind text;
BEGIN
  SELECT * INTO n FROM nodes WHERE account_id = p_account AND id = p_node;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SB001', MESSAGE = 'the entry is gone';
  ELSIF n.parent_id IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = 'SB005', MESSAGE = 'the root stays';
  END IF;
  IF n.kind = 'directory' THEN
    PERFORM shoebox_lock_directories(p_account);
  END IF;
  LOOP
    SELECT parent_id INTO old_parent FROM nodes WHERE account_id = p_account AND id = p_node;
    PERFORM 1 FROM nodes WHERE account_id = p_account AND id IN (p_node, old_parent, p_parent)
    ORDER BY id FOR UPDATE;
    SELECT * INTO n FROM nodes WHERE account_id = p_account AND id = p_node;
    IF NOT FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'SB001', MESSAGE = 'the entry is gone';
    END IF;
    EXIT WHEN n.parent_id = old_parent;
  END LOOP;
  SELECT kind INTO parent_kind FROM nodes WHERE account_id = p_account AND id = p_parent;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SB001', MESSAGE = 'the new parent is gone';
  ELSIF parent_kind <> 'directory' THEN
    RAISE EXCEPTION USING ERRCODE = 'SB004', MESSAGE = 'the new parent is not a directory';
  ELSIF n.parent_id = p_parent AND n.name = p_name THEN
    RETURN;
  END IF;
  IF n.kind = 'directory' AND shoebox_node_is_below(p_account, p_parent, p_node) THEN
    RAISE EXCEPTION USING ERRCODE = 'SB005', MESSAGE = 'a directory cannot move below itself';
  END IF;
  at := clock_timestamp();
  UPDATE nodes SET parent_id = p_parent, name = p_name, ctime = at
  WHERE account_id = p_account AND id = p_node;
  UPDATE nodes SET mtime = at, ctime = at
  WHERE account_id = p_account AND id IN (old_parent, p_parent);
END $$;

CREATE FUNCTION shoebox_replace_node(
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
                     mtime = s.mtime, ctime = at, incomplete = s.incomplete
    WHERE account_id = p_account AND id = p_target;
    DELETE FROM nodes WHERE account_id = p_account AND id = p_source;
    INSERT INTO node_successors (account_id, node_id, successor_id, at)
    VALUES (p_account, p_source, p_target, at);
  ELSE
    UPDATE versions SET replaced_at = at, removed_path = shoebox_node_path(p_account, p_target)
    WHERE account_id = p_account AND id = t.version_id;
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

-- For servers of the version before, which may still be running.
CREATE OR REPLACE FUNCTION shoebox_node_remove(p_account bigint, p_node bigint) RETURNS boolean
LANGUAGE sql VOLATILE AS $$ SELECT removed FROM shoebox_remove_node(p_account, p_node) $$;

CREATE OR REPLACE FUNCTION shoebox_node_rename(
  p_account bigint, p_node bigint, p_parent bigint, p_name text) RETURNS void
LANGUAGE sql VOLATILE AS $$ SELECT shoebox_move_node(p_account, p_node, p_parent, p_name) $$;

CREATE OR REPLACE FUNCTION shoebox_node_replace(p_account bigint, p_source bigint, p_target bigint)
RETURNS bigint
LANGUAGE sql VOLATILE AS $$ SELECT node FROM shoebox_replace_node(p_account, p_source, p_target) $$;
