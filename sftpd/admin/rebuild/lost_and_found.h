#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "metadata/repositories/found_objects.h"
#include "metadata/transaction.h"
#include "sftpd/admin/rebuild/object_labels.h"
#include "storage/object_store.h"

namespace sftpd::admin::rebuild {

/// What became of objects that the export does not know.
struct Found {
  std::uint64_t files = 0;      ///< made in lost+found
  std::uint64_t doubles = 0;    ///< of content that its file has anyway: left to the collector
  std::uint64_t unclaimed = 0;  ///< without labels, or of accounts that the export does not know
  std::vector<std::string> unclaimed_keys;  ///< the first ones
};

/// Gives what was stored after the export back to whom it belongs to: one file an object, in the
/// directory lost+found of its account. Works in one transaction, which holds the loaded export.
class LostAndFound {
 public:
  LostAndFound(metadata::Transaction& transaction, storage::ObjectStore& store)
      : transaction_(transaction), store_(store) {}

  /// Looks at all objects below `key_prefix`. Throws storage::Error, metadata::Error.
  Found collect(const std::string& key_prefix);

 private:
  /// An account that gets files.
  struct Receiver {
    metadata::NodeId directory;
    std::uint32_t uid = 0, gid = 0;
    std::optional<std::uint64_t> quota;  ///< suspended: what is stored is stored
  };

  void look_at(const std::vector<storage::ListedObject>& listed);
  void take(const metadata::FoundObject& object, const storage::ObjectInfo& info);
  bool has_it_anyway(const metadata::FoundObject& object, const storage::ObjectInfo& info,
                     const ObjectLabels& labels);
  /// Null if the export has no such account.
  Receiver* receiver(metadata::AccountId account);
  std::optional<Receiver> make_receiver(metadata::AccountId account);
  metadata::NodeId make_file(const Receiver& receiver, const ObjectLabels& labels);
  void publish(metadata::NodeId node, metadata::ObjectId object, const storage::ObjectInfo& info,
               const ObjectLabels& labels);

  metadata::Transaction& transaction_;
  storage::ObjectStore& store_;
  std::map<metadata::AccountId, std::optional<Receiver>> receivers_;
  Found found_;
};

}  // namespace sftpd::admin::rebuild
