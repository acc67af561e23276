#include "metadata/repositories/nodes.h"

#include <array>

#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

#define NODE_COLUMNS                                                                              \
  "n.id, n.parent_id, n.name, n.kind, n.mode, n.uid, n.gid, n.size, shoebox_micros(n.atime),"     \
  " shoebox_micros(n.mtime), shoebox_micros(n.ctime), n.version_id, n.link_target, n.incomplete," \
  " coalesce(n.file_id, n.id)"

// Primary key.
constexpr Statement select_node{
    "nodes_find", "SELECT " NODE_COLUMNS " FROM nodes n WHERE n.account_id = $1 AND n.id = $2"};
// Index nodes_listing.
constexpr Statement select_child{"nodes_find_child",
                                 "SELECT " NODE_COLUMNS
                                 " FROM nodes n"
                                 " WHERE n.account_id = $1 AND n.parent_id = $2 AND n.name = $3"};
// Primary key for the start, then index nodes_listing once a name. OFFSET 0 keeps the planner from
// reading the account's nodes once and joining them, which it prefers while it takes them for few.
constexpr Statement select_walk{
    "nodes_walk",
    "WITH RECURSIVE n AS ("
    "  SELECT s.*, 1 AS depth FROM nodes s WHERE s.account_id = $1 AND s.id = $2"
    "  UNION ALL"
    "  SELECT c.*, n.depth + 1 FROM n CROSS JOIN LATERAL ("
    "    SELECT * FROM nodes x WHERE x.account_id = $1 AND x.parent_id = n.id"
    "      AND x.name = ($3::text[])[n.depth] OFFSET 0) c"
    "  WHERE n.depth <= cardinality($3::text[]))"
    " SELECT " NODE_COLUMNS " FROM n ORDER BY n.depth"};
// Primary key, once a level.
constexpr Statement select_ancestry{
    "nodes_ancestry",
    "WITH RECURSIVE n AS ("
    "  SELECT s.*, 1 AS height FROM nodes s WHERE s.account_id = $1 AND s.id = $2"
    "  UNION ALL"
    "  SELECT p.*, n.height + 1 FROM n JOIN nodes p"
    "    ON p.account_id = $1 AND p.id = n.parent_id"
    "  WHERE n.height < 10000)"
    " SELECT " NODE_COLUMNS " FROM n ORDER BY n.height DESC"};
// Index nodes_listing: it begins behind the last name and ends after a page.
constexpr Statement select_page{
    "nodes_list", "SELECT " NODE_COLUMNS
                  " FROM nodes n WHERE n.account_id = $1 AND n.parent_id = $2 AND n.name > $3"
                  " ORDER BY n.account_id, n.parent_id, n.name LIMIT $4"};

constexpr Statement insert_node{
    "nodes_insert",
    "SELECT " NODE_COLUMNS " FROM shoebox_node_insert($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) n"};
// The setting holds until the end of the statement's own transaction, its COMMIT included.
constexpr Statement insert_node_later{
    "nodes_insert_later", "SELECT " NODE_COLUMNS
                          " FROM set_config('synchronous_commit', 'off', true) s,"
                          " shoebox_node_insert($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) n"};
constexpr Statement update_node{
    "nodes_change",
    "UPDATE nodes SET mode = coalesce($3, mode), uid = coalesce($4, uid), gid = coalesce($5, gid),"
    " atime = coalesce(shoebox_time($6), atime), mtime = coalesce(shoebox_time($7), mtime),"
    " ctime = clock_timestamp() WHERE account_id = $1 AND id = $2"};
constexpr Statement update_file{
    "nodes_change_file",
    "UPDATE nodes n SET mode = coalesce($4, n.mode), uid = coalesce($5, n.uid),"
    " gid = coalesce($6, n.gid), atime = coalesce(shoebox_time($7), n.atime),"
    " mtime = coalesce(shoebox_time($8), n.mtime), ctime = clock_timestamp()"
    " WHERE n.account_id = $1 AND n.id = (SELECT f.id FROM shoebox_lock_file($1, $2, $3) f)"
    " RETURNING n.id"};
constexpr Statement lock_node{"nodes_lock_file",
                              "SELECT " NODE_COLUMNS " FROM shoebox_lock_file($1, $2, $3) n"};
// Primary keys. The node itself is there if it is another file's now.
constexpr Statement find_removed{
    "nodes_was_removed",
    "SELECT EXISTS (SELECT FROM node_successors s WHERE s.account_id = $1 AND s.node_id = $2)"
    " OR EXISTS (SELECT FROM nodes n WHERE n.account_id = $1 AND n.id = $2)"};
// They tell which directories the entries left: known for sure only where the rows are locked.
constexpr Statement move_node{"nodes_rename",
                              "SELECT old_parent FROM shoebox_move_node($1, $2, $3, $4)"};
constexpr Statement replace_node{
    "nodes_replace", "SELECT s_parent, t_parent, node FROM shoebox_replace_node($1, $2, $3)"};
constexpr Statement remove_node{"nodes_remove",
                                "SELECT parent, removed FROM shoebox_remove_node($1, $2)"};
// Primary keys.
constexpr Statement find_replaced{
    "nodes_replaced",
    "SELECT s.successor_id FROM node_successors s"
    " WHERE s.account_id = $1 AND s.node_id = $2 AND s.successor_id = $3"
    " UNION ALL SELECT n.id FROM nodes n"
    " WHERE n.account_id = $1 AND n.id = $2 AND n.parent_id = $4 AND n.name = $5"};

constexpr std::size_t names_max = 2048;
constexpr std::uint32_t mode_mask = 07777;

const char* text_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::file:
      return "file";
    case NodeKind::directory:
      return "directory";
    case NodeKind::symlink:
      return "symlink";
  }
  throw Error(ErrorCode::invalid, "no such kind of node");
}

NodeKind kind_of(const pqxx::field& field) {
  switch (*field.c_str()) {
    case 'f':
      return NodeKind::file;
    case 'd':
      return NodeKind::directory;
    default:
      return NodeKind::symlink;
  }
}

Time time_of(const pqxx::field& field) {
  return Time{std::chrono::microseconds{field.as<std::int64_t>()}};
}

Node node_of(const pqxx::row& row) {
  Node node;
  node.id = NodeId{row[0].as<std::int64_t>()};
  node.parent = NodeId{row[1].is_null() ? 0 : row[1].as<std::int64_t>()};
  node.name = row[2].c_str();
  node.kind = kind_of(row[3]);
  node.mode = row[4].as<std::uint32_t>();
  node.uid = row[5].as<std::uint32_t>();
  node.gid = row[6].as<std::uint32_t>();
  node.size = row[7].as<std::uint64_t>();
  node.atime = time_of(row[8]);
  node.mtime = time_of(row[9]);
  node.ctime = time_of(row[10]);
  if (!row[11].is_null()) node.version = VersionId{row[11].as<std::int64_t>()};
  node.link_target = row[12].c_str();
  node.incomplete = *row[13].c_str() == 't';
  node.file = FileId{row[14].as<std::int64_t>()};
  return node;
}

std::optional<Node> first_node(const pqxx::result& rows) {
  if (rows.empty()) return std::nullopt;
  return node_of(rows[0]);
}

std::vector<Node> all_nodes(const pqxx::result& rows) {
  std::vector<Node> nodes;
  nodes.reserve(static_cast<std::size_t>(rows.size()));
  for (const auto& row : rows) nodes.push_back(node_of(row));
  return nodes;
}

/// The names that the schema's CHECK accepts, told apart before the database must.
void check_name(const std::string& name) {
  const bool fits = !name.empty() && name.size() <= 255 && name != "." && name != "..";
  if (!fits || name.find('/') != std::string::npos) {
    throw Error(ErrorCode::invalid, "not a name for an entry");
  }
}

}  // namespace

std::optional<Node> Nodes::find(AccountId account, NodeId id) {
  return first_node(transaction_.inner().run(select_node, account, id));
}

std::optional<Node> Nodes::find_child(AccountId account, NodeId parent, const std::string& name) {
  return first_node(transaction_.inner().run(select_child, account, parent, name));
}

std::vector<Node> Nodes::walk(AccountId account, NodeId start,
                              const std::vector<std::string>& names) {
  if (names.size() > names_max) throw Error(ErrorCode::invalid, "too many names in a path");
  return all_nodes(transaction_.inner().run(select_walk, account, start, array_of(names)));
}

std::vector<Node> Nodes::ancestry(AccountId account, NodeId id) {
  return all_nodes(transaction_.inner().run(select_ancestry, account, id));
}

std::vector<Node> Nodes::list(AccountId account, NodeId parent, const std::string& after,
                              int limit) {
  return all_nodes(transaction_.inner().run(select_page, account, parent, after, limit));
}

namespace {

void touch_parent(Transaction::Inner& inner, AccountId account, const pqxx::field& parent) {
  if (!parent.is_null()) inner.touch(account, NodeId{parent.as<std::int64_t>()});
}

Node insert_by(const Statement& statement, Transaction& transaction, AccountId account,
               const NewNode& node) {
  check_name(node.name);
  transaction.inner().touch(account, node.parent);
  transaction.inner().touch(account, node.parent, node.name);
  std::optional<std::string> link_target;
  if (node.kind == NodeKind::symlink) link_target = node.link_target;
  const auto rows = transaction.inner().run(statement, account, node.parent, node.name,
                                            text_of(node.kind), node.mode & mode_mask, node.uid,
                                            node.gid, link_target, node.atime, node.mtime);
  return node_of(rows[0]);
}

}  // namespace

Node Nodes::insert(AccountId account, const NewNode& node) {
  return insert_by(insert_node, transaction_, account, node);
}

Node Nodes::insert_later(AccountId account, const NewNode& node) {
  return insert_by(insert_node_later, transaction_, account, node);
}

bool Nodes::change(AccountId account, NodeId id, const NodeChanges& changes) {
  auto mode = changes.mode;
  if (mode) *mode &= mode_mask;
  transaction_.inner().touch(account, id);
  return transaction_.inner()
             .run(update_node, account, id, mode, changes.uid, changes.gid, changes.atime,
                  changes.mtime)
             .affected_rows() > 0;
}

bool Nodes::change_file(AccountId account, NodeId id, FileId file, const NodeChanges& changes) {
  auto mode = changes.mode;
  if (mode) *mode &= mode_mask;
  transaction_.inner().touch(account, id);
  const auto rows = transaction_.inner().run(update_file, account, id, file, mode, changes.uid,
                                             changes.gid, changes.atime, changes.mtime);
  if (rows.empty()) return false;
  transaction_.inner().touch(account, NodeId{rows[0][0].as<std::int64_t>()});
  return true;
}

std::optional<Node> Nodes::lock_file(AccountId account, NodeId id, FileId file) {
  return first_node(transaction_.inner().run(lock_node, account, id, file));
}

bool Nodes::was_removed(AccountId account, NodeId id) {
  return transaction_.inner().run(find_removed, account, id)[0][0].as<bool>();
}

void Nodes::rename(AccountId account, NodeId id, NodeId new_parent, const std::string& new_name) {
  check_name(new_name);
  auto& inner = transaction_.inner();
  inner.touch(account, id);
  inner.touch(account, new_parent);
  inner.touch(account, new_parent, new_name);
  touch_parent(inner, account, inner.run(move_node, account, id, new_parent, new_name)[0][0]);
}

NodeId Nodes::replace(AccountId account, NodeId source, NodeId target) {
  auto& inner = transaction_.inner();
  inner.touch(account, source);
  inner.touch(account, target);
  const auto rows = inner.run(replace_node, account, source, target);
  touch_parent(inner, account, rows[0][0]);
  touch_parent(inner, account, rows[0][1]);
  return NodeId{rows[0][2].as<std::int64_t>()};
}

std::optional<NodeId> Nodes::replaced(AccountId account, NodeId source, const Node& target) {
  const auto rows = transaction_.inner().run(find_replaced, account, source, target.id,
                                             target.parent, target.name);
  if (rows.empty()) return std::nullopt;
  return NodeId{rows[0][0].as<std::int64_t>()};
}

bool Nodes::remove(AccountId account, NodeId id) {
  auto& inner = transaction_.inner();
  inner.touch(account, id);
  const auto rows = inner.run(remove_node, account, id);
  touch_parent(inner, account, rows[0][0]);
  return rows[0][1].as<bool>();
}

std::vector<std::pair<std::string, std::string>> Nodes::explain_all(Transaction& transaction,
                                                                    AccountId account,
                                                                    NodeId parent) {
  std::vector<std::pair<std::string, std::string>> plans;
  const auto explain = [&](const Statement& statement, const auto&... arguments) {
    const std::string name = std::string("explain_") + statement.name;
    const std::string sql = std::string("EXPLAIN (FORMAT TEXT) ") + statement.sql;
    std::string plan;
    for (const auto& row : transaction.inner().run({name.c_str(), sql.c_str()}, arguments...)) {
      plan += row[0].c_str();
      plan += '\n';
    }
    plans.emplace_back(statement.name, plan);
  };
  explain(select_node, account, parent);
  explain(select_child, account, parent, "name");
  explain(select_walk, account, parent, array_of(std::vector<std::string>{"a", "b"}));
  explain(select_ancestry, account, parent);
  explain(select_page, account, parent, "", 1000);
  return plans;
}

#undef NODE_COLUMNS

}  // namespace metadata
