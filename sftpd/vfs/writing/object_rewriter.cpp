#include "sftpd/vfs/writing/object_rewriter.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <span>
#include <utility>

#include "metadata/database.h"
#include "metadata/repositories/objects.h"
#include "sftpd/vfs/content/crc32c.h"
#include "sftpd/vfs/content/hash.h"
#include "sftpd/vfs/content/rewrite_plan.h"
#include "sftpd/vfs/error.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "sftpd/vfs/writing/object_labels.h"
#include "sftpd/vfs/writing/object_reserve.h"
#include "sftpd/vfs/writing/source_reader.h"
#include "storage/object_store.h"

namespace sftpd::vfs {

namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t sent_part_max = 16 * mib;
/// Copies move no bytes through here: a few at once are enough to keep a store busy (s3.md).
constexpr std::size_t parts_under_way_max = 8;

RewriteSizes sizes_for(FileSystem& files) {
  return {.part_size = std::min<std::uint64_t>(files.options().part_size, sent_part_max),
          .sent_max = std::max<std::uint64_t>(files.memory().capacity() / 2, 2 * sent_part_max)};
}

/// The bytes of a part that is sent. What it holds of the pool goes back when it is sent, or gone.
class SentPart {
 public:
  SentPart(FileSystem& files, std::uint64_t length)
      : memory_(files.memory()), length_(static_cast<std::size_t>(length)) {}
  ~SentPart() { release(); }
  SentPart(const SentPart&) = delete;
  SentPart& operator=(const SentPart&) = delete;

  bool reserve() { return counted_ = memory_.try_reserve(length_); }
  void release() {
    if (std::exchange(counted_, false)) memory_.release(length_);
  }

  std::vector<std::byte> bytes;

 private:
  MemoryPool& memory_;
  const std::size_t length_;
  bool counted_ = false;
};
using SentPartPtr = std::shared_ptr<SentPart>;

storage::Payload payload_of(const SentPartPtr& sent) {
  return {sent, std::span<const std::byte>(sent->bytes)};
}

class Rewriter {
 public:
  Rewriter(FileSystem& files, const Rewriting& rewriting, const std::function<bool()>& go_on)
      : files_(files), rewriting_(rewriting), go_on_(go_on) {}

  std::optional<WrittenObject> run() {
    const auto plan = plan_rewrite(rewriting_.pieces, files_.store().limits(), sizes_for(files_));
    if (!plan) throw Error(ErrorCode::unsupported, "the store has no room for so many parts");
    sources_.emplace(files_, rewriting_.account, rewriting_.node, *plan);
    object_ = files_.objects().take(rewriting_.account);
    std::optional<WrittenObject> written;
    try {
      const bool whole = plan->size() == 1 && !plan->front().copied &&
                         plan->front().length <= files_.store().limits().put_size_max;
      written = whole ? put(plan->front()) : join(*plan);
    } catch (...) {
      give_up();
      throw;
    }
    if (!written) give_up();
    return written;
  }

 private:
  struct SentPiece {
    std::uint64_t offset, length;
    std::uint32_t crc;
  };
  struct UnderWay {
    storage::CompletedPart part;
    storage::Future<storage::ETag> answer;
    SentPartPtr sent;  ///< none: it is copied
  };

  std::optional<WrittenObject> put(const RewritePart& part) {
    if (!go_on_()) return {};
    const auto sent = std::make_shared<SentPart>(files_, part.length);
    const auto alone = reserve(*sent);
    read(part, *sent);
    sources_->check();
    const auto info = files_.store().put(key(), payload_of(sent), put_options()).get();
    sent->release();
    return finished(part.length, info.etag.text, hash_.finish());
  }

  std::optional<WrittenObject> join(const std::vector<RewritePart>& plan) {
    upload_ = files_.store().create_upload(key(), put_options()).get();
    files_.database().transact_repeatable(
        [&](metadata::Transaction& tx) {
          metadata::Objects(tx).set_upload(rewriting_.account, object_.id, upload_.text);
        },
        metadata::Durability::later);
    bool all_sent = true;
    for (const RewritePart& part : plan) {
      if (!go_on_()) return {};
      while (under_way_.size() >= parts_under_way_max) finish_oldest();
      if (part.copied) {
        all_sent = false;
        under_way_.push_back({{part.number, {}, part.length}, copy(part), nullptr});
      } else {
        send(part);
      }
    }
    finish_all();
    sources_->check();
    if (!go_on_()) return {};
    const auto info = files_.store()
                          .complete_upload(key(), upload_, done_, std::to_string(object_.id.value))
                          .get();
    const std::uint64_t size = plan.back().offset + plan.back().length;
    return finished(size, info.etag.text, all_sent ? std::optional(hash_.finish()) : std::nullopt);
  }

  storage::Future<storage::ETag> copy(const RewritePart& part) {
    const auto& source = std::get<Stored>(part.pieces.front().source);
    return files_.store().copy_part(key(), upload_, {part.number, part.offset},
                                    storage::ObjectKey{*source.key}, {source.offset, part.length});
  }

  void send(const RewritePart& part) {
    const auto sent = std::make_shared<SentPart>(files_, part.length);
    const auto alone = reserve(*sent);
    read(part, *sent);
    under_way_.push_back(
        {{part.number, {}, part.length},
         files_.store().upload_part(key(), upload_, {part.number, part.offset}, payload_of(sent)),
         sent});
    if (alone) finish_all();
  }

  /// Without memory from the pool, even after all that was under way, it is the one part in the
  /// process that may do without until it is sent: then a lock comes back.
  std::unique_lock<std::mutex> reserve(SentPart& sent) {
    while (!sent.reserve()) {
      if (under_way_.empty()) return std::unique_lock(files_.beyond_the_pool());
      finish_oldest();
    }
    return {};
  }

  void read(const RewritePart& part, SentPart& into) {
    into.bytes.resize(static_cast<std::size_t>(part.length));
    sources_->read(part, into.bytes);
    hash_.add(into.bytes);
    std::span<const std::byte> rest = into.bytes;
    for (const Piece& piece : part.pieces) {
      const auto bytes = rest.first(static_cast<std::size_t>(piece.length));
      sent_.push_back({piece.offset, piece.length, crc32c(0, bytes)});
      rest = rest.subspan(bytes.size());
    }
  }

  /// Of the new object: from those recorded of objects that are in it as a whole, however their
  /// bytes got there, and of what was sent. A copy inside the store is compared with it when it is
  /// read. Nothing where a slice was copied.
  std::optional<std::uint32_t> crc_of_all() const {
    std::uint32_t crc = 0;
    auto sent = sent_.begin();
    for (const Piece& piece : rewriting_.pieces) {
      std::uint32_t own = 0;
      std::uint64_t known = 0;
      for (; sent != sent_.end() && sent->offset < piece.offset + piece.length; ++sent) {
        own = crc32c_joined(own, sent->crc, sent->length);
        known += sent->length;
      }
      const auto recorded = recorded_crc(piece);
      if (!recorded && known < piece.length) return {};
      crc = crc32c_joined(crc, recorded.value_or(own), piece.length);
    }
    return crc;
  }

  static std::optional<std::uint32_t> recorded_crc(const Piece& piece) {
    const auto* stored = std::get_if<Stored>(&piece.source);
    const bool whole = stored && stored->offset == 0 && stored->object_size == piece.length;
    if (!whole || !stored->checksums) return {};
    return stored->checksums->crc32c;
  }

  void finish_oldest() {
    UnderWay oldest = std::move(under_way_.front());
    under_way_.pop_front();
    oldest.part.etag = oldest.answer.get();
    if (oldest.sent) oldest.sent->release();
    done_.push_back(std::move(oldest.part));
  }

  void finish_all() {
    while (!under_way_.empty()) finish_oldest();
  }

  /// Once nothing of it is on its way any more, the collector may have it.
  void give_up() noexcept {
    for (UnderWay& part : under_way_) {
      try {
        part.answer.get();
      } catch (const std::exception&) {
        // The first failure is the one that is told.
      }
    }
    files_.objects().discard(rewriting_.account, object_.id);
  }

  WrittenObject finished(std::uint64_t size, std::string etag,
                         std::optional<metadata::Sha256> sha256) const {
    return {{object_.id, size, sha256, std::move(etag), rewriting_.mime, crc_of_all()},
            object_.key,
            false,
            false};
  }

  storage::ObjectKey key() const { return storage::ObjectKey{object_.key}; }

  storage::PutOptions put_options() const {
    return labels_of(object_, rewriting_.account, rewriting_.node, rewriting_.mime);
  }

  FileSystem& files_;
  const Rewriting& rewriting_;
  const std::function<bool()>& go_on_;
  ReservedObject object_;
  storage::UploadId upload_;
  std::deque<UnderWay> under_way_;
  std::vector<storage::CompletedPart> done_;
  std::optional<SourceReader> sources_;
  std::vector<SentPiece> sent_;
  Sha256Hasher hash_;
};

}  // namespace

std::optional<WrittenObject> rewrite_object(FileSystem& files, const Rewriting& rewriting,
                                            const std::function<bool()>& go_on) {
  return Rewriter(files, rewriting, go_on).run();
}

}  // namespace sftpd::vfs
