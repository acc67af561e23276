// After a crash: what a killed process received becomes the file, or goes.

#include <algorithm>

#include "metadata/database.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/uploads.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

namespace {

constexpr int batch = 64;

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
    const auto node = metadata::Nodes(tx).find(account, first.node);
    if (!node || node->version != first.base) return false;
    metadata::Publication publication;
    publication.node = first.node;
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

bool belong_together(const metadata::UploadRow& a, const metadata::UploadRow& b) {
  return a.account == b.account && a.node == b.node && a.chain == b.chain && a.base == b.base;
}

void finish_file(FileSystem& files, const std::vector<metadata::UploadRow>& uploads) {
  const metadata::AccountId account = uploads.front().account;
  std::vector<metadata::ObjectId> published;
  if (files.options().interrupted_uploads == FileSystem::InterruptedUploads::keep) {
    std::vector<Received> runs;
    for (const auto& upload : uploads) {
      if (auto run = complete(files, upload)) runs.push_back(std::move(*run));
    }
    runs = contiguous(std::move(runs));
    if (!runs.empty() && publish(files, account, runs)) {
      for (const auto& run : runs) published.push_back(run.object.object);
    }
  }
  for (const auto& upload : uploads) {
    if (std::find(published.begin(), published.end(), upload.object) != published.end()) continue;
    files.database().transact(
        [&](metadata::Transaction& tx) { metadata::Uploads(tx).end(account, upload.object); });
    files.objects().discard(account, upload.object);
  }
}

}  // namespace

int FileSystem::finish_interrupted_uploads() {
  const auto claimed = database_.transact([&](metadata::Transaction& tx) {
    return metadata::Uploads(tx).claim_interrupted(options_.object_lease, batch);
  });
  // What one open file wrote is published together; what began last has its turn first, and after
  // it the others find other content than they began with.
  std::vector<std::vector<metadata::UploadRow>> chains;
  for (const auto& upload : claimed) {
    // Our own, whose lease ended because the database was away: it goes on.
    if (objects_->holds(upload.account, upload.object)) continue;
    const auto same = std::find_if(chains.begin(), chains.end(), [&](const auto& chain) {
      return belong_together(chain.front(), upload);
    });
    if (same != chains.end()) {
      same->push_back(upload);
    } else {
      chains.push_back({upload});
    }
  }
  int finished = 0;
  for (const auto& uploads : chains) {
    finish_file(*this, uploads);
    finished += static_cast<int>(uploads.size());
  }
  return finished;
}

}  // namespace sftpd::vfs
