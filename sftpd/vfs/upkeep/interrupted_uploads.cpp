// After a crash: what a killed process received becomes the file, or goes.

#include <algorithm>
#include <chrono>
#include <limits>

#include "metadata/database.h"
#include "metadata/error.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/objects.h"
#include "metadata/repositories/uploads.h"
#include "metadata/repositories/versions.h"
#include "sftpd/log/log.h"
#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "storage/error.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

namespace {

using Clock = std::chrono::steady_clock;
/// What one open file wrote, one object behind the other.
using Chain = std::vector<metadata::UploadRow>;

constexpr int chains_max = 64;
/// What is refused for about a day, with the pauses of Uploads::postpone(), is given up: until then
/// its owner may make room below a quota, or somebody mend the store's rights.
constexpr int refusals_max = 28;
/// While the store or the database is away, only the pauses grow, to about an hour.
constexpr int outages_counted_max = 7;

/// A run of received bytes that is one whole object now.
struct Received {
  metadata::UploadRow upload;
  metadata::FinishedObject object;
};

/// Makes an object of the parts that arrived without a gap; nothing if there are none.
std::optional<Received> complete(FileSystem& files, const metadata::UploadRow& upload) {
  auto& store = files.store();
  const storage::ObjectKey key{upload.key};
  Received received{upload, {upload.object, 0, {}, {}, {}}};
  if (!upload.upload.empty()) {
    const storage::UploadId id{upload.upload};
    try {
      auto parts = store.list_parts(key, id).get();
      int expected = 1;
      std::erase_if(parts, [&](const auto& part) { return part.number != expected++; });
      if (parts.empty()) return {};
      store.complete_upload(key, id, parts, std::to_string(upload.object.value)).get();
    } catch (const storage::Error& error) {
      // It may have been completed before the crash.
      if (error.code() != storage::ErrorCode::no_such_upload) throw;
    }
  }
  const auto info = store.head(key).get();
  if (!info || info->size_bytes == 0) return {};
  received.object.size = info->size_bytes;
  received.object.etag = info->etag.text;
  return received;
}

/// The runs that follow each other from the first on; the others are of no use.
std::vector<Received> contiguous(std::vector<Received> runs) {
  std::sort(runs.begin(), runs.end(), [](const Received& a, const Received& b) {
    return a.upload.file_offset < b.upload.file_offset;
  });
  std::size_t count = 0;
  std::uint64_t end = runs.empty() ? 0 : runs.front().upload.file_offset;
  while (count < runs.size() && runs[count].upload.file_offset == end) {
    end += runs[count++].object.size;
  }
  runs.resize(count);
  return runs;
}

metadata::Extent slice_of(metadata::ObjectId object, std::uint64_t size, std::uint64_t at) {
  return {at, size, metadata::ObjectSlice{object, {}, 0, size}};
}

/// Puts the runs behind what the file had before them. Not if it has other content by now.
bool publish(FileSystem& files, metadata::AccountId account, const std::vector<Received>& runs) {
  return files.database().transact([&](metadata::Transaction& tx) {
    const auto& first = runs.front().upload;
    // Locked: a commit that is under way is older than this, or will be the next.
    const auto node = metadata::Nodes(tx).lock_file(account, first.node, first.file);
    if (!node || node->version != first.base) return false;
    metadata::Publication publication;
    publication.node = node->id;
    publication.file = first.file;
    publication.user = first.user;
    publication.incomplete = true;
    if (first.file_offset > 0) {
      if (!node->version) return false;
      const auto base = metadata::Versions(tx).load(account, *node->version);
      if (!base || base->size != first.file_offset) return false;
      publication.extents = base->extents;
    }
    publication.size = first.file_offset;
    for (const auto& run : runs) {
      publication.extents.push_back(slice_of(run.object.object, run.object.size, publication.size));
      publication.finished.push_back(run.object);
      publication.size += run.object.size;
    }
    if (!metadata::Versions(tx).publish(account, publication)) return false;
    for (const auto& run : runs) metadata::Uploads(tx).end(account, run.object.object);
    return true;
  });
}

std::vector<metadata::ObjectId> objects_of(const Chain& chain) {
  std::vector<metadata::ObjectId> objects;
  for (const auto& upload : chain) objects.push_back(upload.object);
  return objects;
}

/// Completing many objects may take longer than a lease.
class KeptLease {
 public:
  KeptLease(FileSystem& files, const Chain& chain) : files_(files), chain_(chain) {}

  void renew_if_due() {
    const auto lease = files_.options().object_lease;
    if (Clock::now() - renewed_ < lease / 4) return;
    renewed_ = Clock::now();
    files_.database().transact([&](metadata::Transaction& tx) {
      metadata::Objects(tx).renew(chain_.front().account, objects_of(chain_), lease);
    });
  }

 private:
  FileSystem& files_;
  const Chain& chain_;
  Clock::time_point renewed_ = Clock::now();
};

/// They are of no use to the file.
void discard(FileSystem& files, const Chain& uploads) {
  for (const auto& upload : uploads) {
    files.database().transact([&](metadata::Transaction& tx) {
      metadata::Uploads(tx).end(upload.account, upload.object);
      metadata::Objects(tx).discard(upload.account, {upload.object});
    });
  }
}

/// Those of one chain that began from the same content.
void finish(FileSystem& files, Chain uploads, KeptLease& lease) {
  if (files.options().interrupted_uploads == FileSystem::InterruptedUploads::keep) {
    std::vector<Received> runs;
    for (const auto& upload : uploads) {
      lease.renew_if_due();
      if (auto run = complete(files, upload)) runs.push_back(std::move(*run));
    }
    runs = contiguous(std::move(runs));
    if (!runs.empty() && publish(files, uploads.front().account, runs)) {
      std::erase_if(uploads, [&](const auto& upload) {
        return std::any_of(runs.begin(), runs.end(),
                           [&](const Received& run) { return run.object.object == upload.object; });
      });
    }
  }
  discard(files, uploads);
}

/// After a commit the next objects of an open file begin from another content; what began last has
/// its turn first, and after it the others find other content than they began with.
void finish_chain(FileSystem& files, const Chain& chain) {
  KeptLease lease(files, chain);
  for (Chain rest = chain; !rest.empty();) {
    const auto base = rest.front().base;
    const auto others = std::stable_partition(
        rest.begin(), rest.end(), [&](const auto& upload) { return upload.base == base; });
    const Chain same(rest.begin(), others);
    rest.erase(rest.begin(), others);
    finish(files, same, lease);
  }
}

/// Whether the failure says nothing about the upload: the store or the database was away.
bool is_outage(const std::exception& failure) {
  if (const auto* error = dynamic_cast<const storage::Error*>(&failure)) {
    return error->code() == storage::ErrorCode::unavailable ||
           error->code() == storage::ErrorCode::no_space;
  }
  if (const auto* error = dynamic_cast<const metadata::Error*>(&failure)) {
    return error->code() == metadata::ErrorCode::unavailable ||
           error->code() == metadata::ErrorCode::conflict ||
           error->code() == metadata::ErrorCode::in_doubt;
  }
  return false;
}

/// It is tried again later, or goes, so that the others have their turn.
void give_up_or_postpone(FileSystem& files, const Chain& chain, const std::exception& failure) {
  int failures = 1;
  for (const auto& upload : chain) failures = std::max(failures, upload.failures + 1);
  const auto account = chain.front().account;
  const auto node = chain.front().node;
  const bool outage = is_outage(failure);
  if (!outage && failures >= refusals_max) {
    log::error("interrupted upload given up", {{"account", account.value},
                                               {"node", node.value},
                                               {"failures", failures},
                                               {"reason", failure.what()}});
    return discard(files, chain);
  }
  log::warning("interrupted upload not finished yet", {{"account", account.value},
                                                       {"node", node.value},
                                                       {"failures", failures},
                                                       {"reason", failure.what()}});
  files.database().transact([&](metadata::Transaction& tx) {
    metadata::Uploads(tx).postpone(account, objects_of(chain), files.options().object_lease,
                                   outage ? outages_counted_max : std::numeric_limits<int>::max());
  });
}

}  // namespace

FileSystem::FinishedUploads FileSystem::finish_interrupted_uploads(const std::stop_token& stop) {
  FinishedUploads finished;
  for (int i = 0; i < chains_max; ++i) {
    if (stop.stop_requested()) return finished;
    const Chain chain = database_.transact([&](metadata::Transaction& tx) {
      return metadata::Uploads(tx).claim_interrupted(options_.object_lease, 1);
    });
    if (chain.empty()) return finished;
    // Our own, whose lease ended because the database was away: it goes on.
    const bool is_ours = std::any_of(chain.begin(), chain.end(), [&](const auto& upload) {
      return objects_->holds(upload.account, upload.object);
    });
    if (is_ours) continue;
    const int count = static_cast<int>(chain.size());
    try {
      finish_chain(*this, chain);
      finished.done += count;
    } catch (const std::exception& failure) {
      finished.failed += count;
      give_up_or_postpone(*this, chain, failure);
    }
  }
  finished.more = true;
  return finished;
}

}  // namespace sftpd::vfs
