// Makes one object of files that lie in several pieces: of those that have been quiet, by a job,
// and of any when somebody needs it.

#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "metadata/database.h"
#include "metadata/error.h"
#include "metadata/repositories/flattening.h"
#include "metadata/repositories/nodes.h"
#include "metadata/repositories/uploads.h"
#include "metadata/repositories/versions.h"
#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "sftpd/vfs/writing/object_rewriter.h"

namespace sftpd::vfs {

namespace {

using Clock = std::chrono::steady_clock;

/// After a failure or a crash another attempt is made so much later.
constexpr std::chrono::seconds claim_hold = std::chrono::minutes{10};
constexpr std::chrono::seconds claim_renewal{5};
/// Whoever needs a file's object waits so long for others that make it already.
constexpr std::chrono::seconds others_wait_max = std::chrono::minutes{1};
constexpr std::chrono::milliseconds others_wait{200};
/// Zeros that are written out: files with more of them stay as they are.
constexpr std::uint64_t zeros_max = std::uint64_t{64} << 20;

bool is_flat(const metadata::Version& version) {
  if (version.extents.size() != 1) return false;
  const auto& only = version.extents.front();
  const auto* slice = std::get_if<metadata::ObjectSlice>(&only.source);
  return slice && only.offset == 0 && only.length == version.size && slice->offset == 0 &&
         slice->object_size == version.size;
}

std::uint64_t zeros_in(const metadata::Version& version) {
  std::uint64_t covered = 0;
  for (const auto& extent : version.extents) covered += extent.length;
  return version.size - covered;
}

/// One file.
class Flattener {
 public:
  Flattener(FileSystem& files, const metadata::ScatteredVersion& scattered,
            const std::stop_token& stop)
      : files_(files), scattered_(scattered), stop_(stop) {}

  /// The job's work.
  void run() {
    // Its next commit would bring the pieces back.
    if (const auto file = open_file(); file && file->is_being_written()) return;
    const auto version = files_.database().query([&](metadata::Transaction& tx) {
      return metadata::Versions(tx).load(scattered_.account, scattered_.version);
    });
    if (!version) return;
    if (is_flat(*version) || zeros_in(*version) > zeros_max) return leave();
    try {
      rewrite(*version);
    } catch (const Error& error) {
      const bool damaged = error.code() == ErrorCode::content_damaged;
      // Damage stays: the file is not read for nothing every ten minutes.
      if (damaged || error.code() == ErrorCode::unsupported) leave();
      if (error.code() != ErrorCode::unsupported) throw;
    }
  }

  /// Makes one object of what is not one yet, if it still is the file's content.
  void rewrite(const metadata::Version& version) {
    const Rewriting rewriting{scattered_.account, scattered_.node,
                              Content::of(version).pieces(0, version.size), version.mime};
    auto written = rewrite_object(files_, rewriting, [this] { return may_go_on(); });
    if (!written) return;
    try {
      if (version.sha256 && written->row.sha256 && version.sha256 != written->row.sha256) {
        throw Error(ErrorCode::content_damaged, "a file's pieces have another hash than the file");
      }
      if (!written->row.sha256) written->row.sha256 = version.sha256;  // Who reads it compares.
      if (publish(written->row)) {
        files_.objects().published(scattered_.account, written->row.object);
        files_.counts().flattened_files.add();
        if (const auto file = open_file()) file->find_moved_bytes();
      } else {
        files_.objects().discard(scattered_.account, written->row.object);
      }
    } catch (...) {
      // If it was published, discarding finds no staging row and changes nothing.
      files_.objects().discard(scattered_.account, written->row.object);
      throw;
    }
  }

 private:
  std::shared_ptr<OpenFile> open_file() {
    const auto node = files_.database().query([&](metadata::Transaction& tx) {
      return metadata::Nodes(tx).find(scattered_.account, scattered_.node);
    });
    return node ? files_.open_files().find(scattered_.account, node->file) : nullptr;
  }

  void leave() {
    files_.database().transact(
        [&](metadata::Transaction& tx) { metadata::Flattening(tx).leave(scattered_); });
  }

  bool publish(const metadata::FinishedObject& object) {
    return files_.database().transact([&](metadata::Transaction& tx) {
      return metadata::Flattening(tx).replace_extents(scattered_, object);
    });
  }

  bool may_go_on() {
    if (stop_.stop_requested()) return false;
    if (Clock::now() - renewed_ < claim_renewal) return true;
    renewed_ = Clock::now();
    return files_.database().transact([&](metadata::Transaction& tx) {
      return metadata::Flattening(tx).renew(scattered_, claim_hold);
    });
  }

  FileSystem& files_;
  const metadata::ScatteredVersion& scattered_;
  const std::stop_token& stop_;
  Clock::time_point renewed_ = Clock::now();
};

}  // namespace

int FileSystem::flatten(std::chrono::seconds quiet, int limit, const std::stop_token& stop) {
  int seen = 0;
  std::exception_ptr failure;
  while (seen < limit && !stop.stop_requested()) {
    const auto claimed = database_.transact([&](metadata::Transaction& tx) {
      return metadata::Flattening(tx).claim(quiet, claim_hold, 1);
    });
    if (claimed.empty()) break;
    ++seen;
    try {
      Flattener(*this, claimed.front(), stop).run();
    } catch (...) {
      counts_.flatten_failures.add();
      failure = std::current_exception();  // The others have their turn.
    }
  }
  if (failure) std::rethrow_exception(failure);
  return seen;
}

namespace {

/// What a file contains now, if it can be given away.
metadata::Version content_to_give(FileSystem& files, metadata::AccountId account,
                                  metadata::NodeId id) {
  return files.database().transact([&](metadata::Transaction& tx) {
    const auto node = metadata::Nodes(tx).find(account, id);
    if (!node) throw Error(ErrorCode::not_found, "no such file");
    if (node->kind != metadata::NodeKind::file) {
      throw Error(ErrorCode::is_a_directory, "only files have content");
    }
    const auto open = files.open_files().find(account, node->file);
    if (open && open->is_being_written()) {
      throw Error(ErrorCode::being_written, "the file is being written");
    }
    if (metadata::Uploads(tx).is_running(account, node->file)) {
      throw Error(ErrorCode::being_written, "an upload of the file is under way");
    }
    auto version =
        node->version ? metadata::Versions(tx).load(account, *node->version) : std::nullopt;
    if (!version || version->size == 0) {
      throw Error(ErrorCode::bad_argument, "the file is empty");
    }
    return std::move(*version);
  });
}

/// One attempt. False if others are at it.
bool join_now(FileSystem& files, const metadata::ScatteredVersion& scattered,
              const metadata::Version& version) {
  if (zeros_in(version) > zeros_max) {
    throw Error(ErrorCode::unsupported, "too much of the file is holes");
  }
  const bool claimed = files.database().transact([&](metadata::Transaction& tx) {
    return metadata::Flattening(tx).claim(scattered, claim_hold);
  });
  if (!claimed) return false;
  try {
    const std::stop_token never;
    Flattener(files, scattered, never).rewrite(version);
  } catch (...) {
    files.counts().flatten_failures.add();
    // The next one need not wait until the claim is over.
    files.database().transact([&](metadata::Transaction& tx) {
      metadata::Flattening(tx).renew(scattered, std::chrono::seconds{0});
    });
    throw;
  }
  return true;
}

}  // namespace

FileSystem::WholeObject FileSystem::whole_object(metadata::AccountId account,
                                                 metadata::NodeId node) {
  const auto give_up = Clock::now() + others_wait_max;
  while (true) {
    const metadata::Version version = content_to_give(*this, account, node);
    if (is_flat(version)) {
      const auto& slice = std::get<metadata::ObjectSlice>(version.extents.front().source);
      return {.key = slice.key, .size = version.size, .mime = version.mime};
    }
    if (join_now(*this, {account, node, version.id}, version)) continue;
    if (Clock::now() >= give_up) {
      throw Error(ErrorCode::being_written, "somebody else is at the file's pieces");
    }
    std::this_thread::sleep_for(others_wait);
  }
}

}  // namespace sftpd::vfs
