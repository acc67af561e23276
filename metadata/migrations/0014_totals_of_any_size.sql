-- Sums of sizes that are more than a bigint shows are shown as the largest one: whoever looks at all
-- accounts must not fail because of one.
CREATE OR REPLACE VIEW account_totals AS
  SELECT a.id AS account_id, a.quota_bytes,
         least(coalesce(sum(u.used_bytes), 0), 9223372036854775807)::bigint AS used_bytes,
         coalesce(sum(u.files), 0)::bigint AS files
  FROM accounts a LEFT JOIN account_usage u ON u.account_id = a.id
  GROUP BY a.id;
