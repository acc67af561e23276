#include "sftpd/admin/rebuild/lost_and_found.h"

#include <fmt/format.h>

#include "metadata/dump/dump_loader.h"
#include "metadata/error.h"
#include "metadata/repositories/accounts.h"
#include "metadata/repositories/nodes.h"
#include "sftpd/vfs/content/hash.h"

namespace sftpd::admin::rebuild {
namespace {

using metadata::AccountId;
using metadata::FoundObject;
using metadata::NodeId;

constexpr std::size_t requests_max = 32;
constexpr std::size_t name_size_max = 255;
constexpr std::uint64_t keys_max = 1000;
// Larger ones are not read only to find out whether a file has the same bytes.
constexpr std::uint64_t compared_size_max = 16ULL << 20;

metadata::Sha256 hash_of(storage::ObjectStore& store, const std::string& key, std::uint64_t size) {
  return vfs::sha256_of(store.get({key}, {0, size}).get().bytes());
}

/// Nothing if there is no such account.
std::optional<NodeId> root_of(metadata::Transaction& transaction, AccountId account) {
  try {
    return metadata::Accounts(transaction).root(account);
  } catch (const metadata::Error& failure) {
    if (failure.code() == metadata::ErrorCode::not_found) return std::nullopt;
    throw;
  }
}

metadata::NewNode new_node(NodeId parent, const std::string& name, metadata::NodeKind kind,
                           std::uint32_t uid, std::uint32_t gid) {
  metadata::NewNode node;
  node.parent = parent;
  node.name = name;
  node.kind = kind;
  node.mode = kind == metadata::NodeKind::directory ? 0700 : 0600;
  node.uid = uid;
  node.gid = gid;
  return node;
}

/// lost+found; where something else has that name, lost+found-2 ...
NodeId directory_below(metadata::Transaction& transaction, AccountId account,
                       const metadata::Node& root) {
  using metadata::NodeKind;
  metadata::Nodes nodes(transaction);
  for (int number = 1;; ++number) {
    const std::string name = number == 1 ? "lost+found" : fmt::format("lost+found-{}", number);
    const auto there = nodes.find_child(account, root.id, name);
    if (there && there->kind == NodeKind::directory) return there->id;
    if (there) continue;
    return nodes.insert(account, new_node(root.id, name, NodeKind::directory, root.uid, root.gid))
        .id;
  }
}

}  // namespace

Found LostAndFound::collect(const std::string& key_prefix) {
  const std::string objects = key_prefix.empty() ? "v1/" : key_prefix + "/v1/";
  std::string next;
  do {
    const storage::ListPage page = store_.list(objects, next).get();
    look_at(page.objects);
    next = page.next;
  } while (!next.empty());
  for (const auto& [account, receiver] : receivers_) {
    if (receiver) metadata::Accounts(transaction_).set_quota(account, receiver->quota);
  }
  metadata::pass_ids(transaction_);
  return std::move(found_);
}

void LostAndFound::look_at(const std::vector<storage::ListedObject>& listed) {
  std::vector<std::string> keys;
  keys.reserve(listed.size());
  for (const auto& object : listed) keys.push_back(object.key.text);
  const auto unknown = metadata::FoundObjects(transaction_).among(keys);
  for (std::size_t begin = 0; begin < unknown.size(); begin += requests_max) {
    const std::size_t end = std::min(begin + requests_max, unknown.size());
    std::vector<storage::Future<std::optional<storage::ObjectInfo>>> answers;
    for (std::size_t i = begin; i < end; ++i) answers.push_back(store_.head({unknown[i].key}));
    for (std::size_t i = begin; i < end; ++i) {
      const auto info = answers[i - begin].get();
      if (info) take(unknown[i], *info);
    }
  }
}

void LostAndFound::take(const FoundObject& object, const storage::ObjectInfo& info) {
  const auto labels = read_labels(info);
  const AccountId account = object.has_row ? object.account
                            : labels       ? labels->account
                                           : AccountId{};
  Receiver* to = labels ? receiver(account) : nullptr;
  if (to == nullptr) {
    if (++found_.unclaimed <= keys_max) found_.unclaimed_keys.push_back(object.key);
    return;
  }
  ObjectLabels ours = *labels;
  ours.account = account;
  const metadata::ObjectId id =
      object.has_row
          ? object.id
          : metadata::FoundObjects(transaction_).adopt(account, object.key, labels->object);
  if (has_it_anyway(object, info, ours)) {
    metadata::FoundObjects(transaction_).give_up(account, id);
    ++found_.doubles;
    return;
  }
  publish(make_file(*to, ours), id, info, ours);
  ++found_.files;
}

/// Small files lie in the rows at first: then the export has their bytes, and the store as well.
bool LostAndFound::has_it_anyway(const FoundObject& object, const storage::ObjectInfo& info,
                                 const ObjectLabels& labels) {
  const auto content =
      metadata::FoundObjects(transaction_).content_of(labels.account, labels.node, info.size_bytes);
  if (!content) return false;
  if (labels.sha256) return *labels.sha256 == *content;
  return info.size_bytes <= compared_size_max &&
         hash_of(store_, object.key, info.size_bytes) == *content;
}

LostAndFound::Receiver* LostAndFound::receiver(AccountId account) {
  auto found = receivers_.find(account);
  if (found == receivers_.end()) found = receivers_.emplace(account, make_receiver(account)).first;
  return found->second ? &*found->second : nullptr;
}

std::optional<LostAndFound::Receiver> LostAndFound::make_receiver(AccountId account) {
  const auto root_id = root_of(transaction_, account);
  if (!root_id) return std::nullopt;
  metadata::Accounts accounts(transaction_);
  const metadata::Node root = metadata::Nodes(transaction_).find(account, *root_id).value();
  const Receiver receiver{.directory = directory_below(transaction_, account, root),
                          .uid = root.uid,
                          .gid = root.gid,
                          .quota = accounts.usage(account).quota_bytes};
  accounts.set_quota(account, std::nullopt);
  return receiver;
}

NodeId LostAndFound::make_file(const Receiver& receiver, const ObjectLabels& labels) {
  metadata::Nodes nodes(transaction_);
  std::string name = fmt::format("node-{}_{}_object-{}", labels.node.value, labels.created_text,
                                 labels.object.value);
  // Where the file is known, its name says what to open this with.
  const auto known = nodes.find(labels.account, labels.node);
  if (known && name.size() + 1 + known->name.size() <= name_size_max) name += '_' + known->name;
  std::string free = name;
  for (int number = 2; nodes.find_child(labels.account, receiver.directory, free); ++number) {
    free = fmt::format("{}_{}", number, name);
  }
  const auto file =
      new_node(receiver.directory, free, metadata::NodeKind::file, receiver.uid, receiver.gid);
  return nodes.insert(labels.account, file).id;
}

void LostAndFound::publish(NodeId node, metadata::ObjectId object, const storage::ObjectInfo& info,
                           const ObjectLabels& labels) {
  metadata::Publication publication;
  publication.node = node;
  publication.size = info.size_bytes;
  publication.sha256 = labels.sha256;
  if (info.size_bytes > 0) {
    publication.extents = {{0, info.size_bytes, metadata::ObjectSlice{object, {}, 0, 0}}};
  }
  publication.finished = {{object, info.size_bytes, labels.sha256, info.etag.text, {}}};
  publication.attributes.atime = labels.created;
  publication.attributes.mtime = labels.created;
  metadata::Versions(transaction_).publish(labels.account, publication);
}

}  // namespace sftpd::admin::rebuild
