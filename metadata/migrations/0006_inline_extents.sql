-- What waits to be moved to the store, in the order of its age.
CREATE INDEX extents_inline ON extents (version_id, file_offset) INCLUDE (length)
  WHERE inline IS NOT NULL;
COMMENT ON TABLE extents IS
  'Runs of a version''s bytes; what none covers is zeros. Only ever changed by moving inline bytes to an object.';
