-- How fast one user's bytes may move, over all of their connections to one server.
ALTER TABLE users
  ADD COLUMN upload_rate_max   bigint CHECK (upload_rate_max = 0 OR upload_rate_max >= 1024),
  ADD COLUMN download_rate_max bigint CHECK (download_rate_max = 0 OR download_rate_max >= 1024);
COMMENT ON COLUMN users.upload_rate_max IS 'Bytes per second from this user at most; 0: no limit; null: as the server''s settings say.';
COMMENT ON COLUMN users.download_rate_max IS 'The same to this user.';
