-- The checksum that reading costs least with. Beside SHA-256, which names contents, it is taken of the
-- bytes on their way to the store, so that already the first reader need not hash them.
ALTER TABLE objects ADD COLUMN crc32c bigint CHECK (crc32c BETWEEN 0 AND 4294967295);
COMMENT ON COLUMN objects.crc32c IS 'CRC-32C (RFC 3720) of the whole object, where it is known.';

-- As shoebox_publish of migration 5, with the finished objects' checksums.
CREATE FUNCTION shoebox_publish(
  p_account bigint, p_node bigint, p_size bigint, p_sha256 bytea, p_mime text,
  p_offsets bigint[], p_lengths bigint[], p_objects bigint[], p_object_offsets bigint[],
  p_inline bytea,
  p_finished bigint[], p_finished_sizes bigint[], p_finished_sha256 text[],
  p_finished_etags text[], p_finished_mimes text[],
  p_mode integer, p_uid bigint, p_gid bigint, p_atime bigint, p_mtime bigint,
  p_incomplete boolean, p_user bigint, p_finished_crc32c bigint[],
  OUT node_id bigint, OUT version_id bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  SELECT p.node_id, p.version_id INTO node_id, version_id
  FROM shoebox_publish(
    p_account, p_node, p_size, p_sha256, p_mime, p_offsets, p_lengths, p_objects, p_object_offsets,
    p_inline, p_finished, p_finished_sizes, p_finished_sha256, p_finished_etags, p_finished_mimes,
    p_mode, p_uid, p_gid, p_atime, p_mtime, p_incomplete, p_user) p;
  IF version_id IS NOT NULL AND cardinality(p_finished) > 0 THEN
    UPDATE objects o SET crc32c = f.crc32c
    FROM unnest(p_finished, p_finished_crc32c) AS f (id, crc32c)
    WHERE o.account_id = p_account AND o.id = f.id AND f.crc32c IS NOT NULL;
  END IF;
END $$;
