-- What an interrupted upload began from, so that it never replaces what came later.
ALTER TABLE uploads ADD COLUMN base_version bigint;
ALTER TABLE uploads ADD COLUMN chain bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN uploads.base_version IS
  'The file''s version when it began; if the file has another one by now, the upload is of no use.';
COMMENT ON COLUMN uploads.chain IS
  'The same for all objects that one open file wrote, one behind the other.';
