-- Changes of the tree, each one call. Rows are locked in the order of their ids, then versions, then
-- counters, so that two of these seldom wait for each other crosswise; where they do, the caller
-- repeats the transaction. The SQLSTATEs SB001... are metadata::ErrorCode's values, see failure.cpp.

CREATE FUNCTION shoebox_account_create(p_quota bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  account bigint;
  root bigint;
BEGIN
  INSERT INTO accounts (quota_bytes) VALUES (p_quota) RETURNING id INTO account;
  INSERT INTO account_usage (account_id, slot) SELECT account, s FROM generate_series(0, 7) s;
  INSERT INTO nodes (account_id, parent_id, name, kind, mode, uid, gid, atime, mtime, ctime)
  VALUES (account, NULL, '', 'directory', 493, 0, 0, now(), now(), now())
  RETURNING id INTO root;
  UPDATE accounts SET root_node = root WHERE id = account;
  RETURN account;
END $$;

CREATE FUNCTION shoebox_node_path(p_account bigint, p_node bigint) RETURNS text
LANGUAGE sql STABLE AS $$
  WITH RECURSIVE up AS (
    SELECT n.parent_id, n.name, 0 AS height FROM nodes n
    WHERE n.account_id = p_account AND n.id = p_node
    UNION ALL
    SELECT n.parent_id, n.name, up.height + 1 FROM up
    JOIN nodes n ON n.account_id = p_account AND n.id = up.parent_id
    WHERE up.height < 10000
  )
  SELECT string_agg(name, '/' ORDER BY height DESC) FROM up
$$;
COMMENT ON FUNCTION shoebox_node_path(bigint, bigint) IS 'The absolute path of a node.';

-- Whether p_ancestor is p_node or lies on the way from it to the root.
CREATE FUNCTION shoebox_node_is_below(p_account bigint, p_node bigint, p_ancestor bigint)
RETURNS boolean LANGUAGE sql VOLATILE AS $$
  WITH RECURSIVE up AS (
    SELECT n.id, n.parent_id, 0 AS height FROM nodes n
    WHERE n.account_id = p_account AND n.id = p_node
    UNION ALL
    SELECT n.id, n.parent_id, up.height + 1 FROM up
    JOIN nodes n ON n.account_id = p_account AND n.id = up.parent_id
    WHERE up.height < 10000
  )
  SELECT EXISTS (SELECT 1 FROM up WHERE id = p_ancestor)
$$;

-- Only directories that change their place can make a cycle: in one account they queue.
CREATE FUNCTION shoebox_lock_directories(p_account bigint) RETURNS void
LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(1399997014, (p_account % 2147483647)::integer)
$$;

CREATE FUNCTION shoebox_node_insert(
  p_account bigint, p_parent bigint, p_name text, p_kind text, p_mode integer, p_uid bigint,
  p_gid bigint, p_link_target text, p_atime bigint, p_mtime bigint) RETURNS SETOF nodes
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := clock_timestamp();
BEGIN
  -- The parent first: it must not vanish, and parallel inserts queue here before they hold more.
  UPDATE nodes SET mtime = clock_timestamp(), ctime = clock_timestamp()
  WHERE account_id = p_account AND id = p_parent AND kind = 'directory';
  IF NOT FOUND THEN
    PERFORM 1 FROM nodes WHERE account_id = p_account AND id = p_parent;
    IF FOUND THEN
      RAISE EXCEPTION USING ERRCODE = 'SB004', MESSAGE = 'the parent is not a directory';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'SB001', MESSAGE = 'the parent is gone';
  END IF;
  RETURN QUERY
    INSERT INTO nodes (account_id, parent_id, name, kind, mode, uid, gid, size, atime, mtime, ctime,
                       link_target)
    VALUES (p_account, p_parent, p_name, p_kind, p_mode, p_uid, p_gid,
            coalesce(octet_length(p_link_target), 0), coalesce(shoebox_time(p_atime), at),
            coalesce(shoebox_time(p_mtime), at), at, p_link_target)
    RETURNING *;
  UPDATE account_usage SET files = files + 1
  WHERE account_id = p_account AND slot = (pg_backend_pid() % 8)::smallint;
END $$;

CREATE FUNCTION shoebox_node_remove(p_account bigint, p_node bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz;
  parent bigint;
  n nodes;
BEGIN
  LOOP
    SELECT parent_id INTO parent FROM nodes WHERE account_id = p_account AND id = p_node;
    IF NOT FOUND THEN
      RETURN false;
    ELSIF parent IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'SB008', MESSAGE = 'the root stays';
    END IF;
    PERFORM 1 FROM nodes WHERE account_id = p_account AND id IN (p_node, parent)
    ORDER BY id FOR UPDATE;
    SELECT * INTO n FROM nodes WHERE account_id = p_account AND id = p_node;
    IF NOT FOUND THEN
      RETURN false;
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
  RETURN true;
END $$;

CREATE FUNCTION shoebox_node_rename(p_account bigint, p_node bigint, p_parent bigint, p_name text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz;
  n nodes;
  old_parent bigint;
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

CREATE FUNCTION shoebox_node_replace(p_account bigint, p_source bigint, p_target bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz;
  s nodes;
  t nodes;
  s_parent bigint;
  t_parent bigint;
BEGIN
  LOOP
    SELECT * INTO s FROM nodes WHERE account_id = p_account AND id = p_source;
    SELECT * INTO t FROM nodes WHERE account_id = p_account AND id = p_target;
    IF s.id IS NULL OR t.id IS NULL THEN
      RAISE EXCEPTION USING ERRCODE = 'SB001', MESSAGE = 'an entry is gone';
    ELSIF p_source = p_target THEN
      RETURN p_target;
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
  RETURN CASE WHEN s.kind = 'file' AND t.kind = 'file' THEN p_target ELSE p_source END;
END $$;

-- Removes a user and, as the account's last one, the account; objects become dead.
CREATE FUNCTION shoebox_user_remove(p_user bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  account bigint;
BEGIN
  SELECT account_id INTO account FROM users WHERE id = p_user;
  IF NOT FOUND THEN
    RETURN;
  END IF;
  PERFORM 1 FROM accounts WHERE id = account FOR UPDATE;
  DELETE FROM users WHERE account_id = account AND id = p_user;
  PERFORM 1 FROM users WHERE account_id = account LIMIT 1;
  IF FOUND THEN
    RETURN;
  END IF;
  -- All of the tree is locked by its nodes: whoever publishes meanwhile finds its node gone.
  PERFORM 1 FROM nodes WHERE account_id = account ORDER BY id FOR UPDATE;
  DELETE FROM nodes WHERE account_id = account;
  DELETE FROM node_successors WHERE account_id = account;
  DELETE FROM versions WHERE account_id = account;
  DELETE FROM uploads WHERE account_id = account;
  PERFORM 1 FROM objects WHERE account_id = account AND state IN ('staging', 'live')
  ORDER BY id FOR UPDATE;
  UPDATE objects SET state = 'dead', dead_at = clock_timestamp(), lease_until = NULL
  WHERE account_id = account AND state IN ('staging', 'live');
  DELETE FROM account_usage WHERE account_id = account;
  DELETE FROM accounts WHERE id = account;
END $$;
