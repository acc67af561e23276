-- The root of an account belonged to user 0, and everything in it to the account's user: clients that
-- compare owners could not write there.
UPDATE nodes n SET uid = u.uid, gid = u.gid
FROM accounts a JOIN users u ON u.account_id = a.id
WHERE n.account_id = a.id AND n.id = a.root_node;
