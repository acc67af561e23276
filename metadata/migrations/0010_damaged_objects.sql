-- Bytes in the store that are not those which were uploaded, seen by somebody who read them.
ALTER TABLE objects ADD COLUMN damaged_at timestamptz;
COMMENT ON COLUMN objects.damaged_at IS
  'When its bytes in the store were seen not to be those of its checksum; null: never. New uploads of the same content do not refer to it.';
