#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "metadata/ids.h"
#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/content/rewrite_plan.h"
#include "storage/future.h"
#include "storage/payload.h"

namespace sftpd::vfs {

class FileSystem;

/// Reads what parts of a new object consist of. Slices of one object that lie near each other come
/// with one request: an edited file's are tens of thousands. Waits for the store. Not thread-safe.
///
/// Objects of which at least half is read, and small ones, are compared with their checksums: else
/// damaged bytes would get a new, right one. The rest of them is read for that.
class SourceReader {
 public:
  /// For the parts of `plan` that are sent. `node` is named in the log.
  SourceReader(FileSystem& files, metadata::AccountId account, metadata::NodeId node,
               const std::vector<RewritePart>& plan);

  /// Fills `into`, which is zeros, with the part's bytes. Throws storage::Error, content_damaged.
  void read(const RewritePart& part, std::span<std::byte> into);

  /// Once all parts were read: throws content_damaged, and raises the alarm, if an object is not
  /// what was stored. Throws storage::Error.
  void check();

 private:
  /// Bytes of an object, and where they go.
  struct Slice {
    const Stored* object = nullptr;
    std::uint64_t offset = 0;  ///< in the object
    std::span<std::byte> into;
    std::uint64_t end() const { return offset + into.size(); }
  };
  struct Request {
    std::span<const Slice> slices;
    std::uint64_t offset = 0;  ///< in the object
    std::uint64_t length = 0;
    storage::Future<storage::Payload> answer;
  };

  /// An object that is compared. Its bytes may come in any order, and some more than once.
  struct Source {
    Stored place;
    std::uint64_t wanted = 0;                       ///< bytes of it that are to be read
    std::map<std::uint64_t, std::uint64_t> seen{};  ///< begins and ends
    std::uint32_t crc = 0;                          ///< what they add to the object's
  };
  using Range = std::pair<std::uint64_t, std::uint64_t>;  ///< begin and end
  using Take = std::function<void(std::uint64_t offset, std::span<const std::byte> bytes)>;

  static bool worth_checking(const Source& source);
  static std::vector<Range> unseen(const Source& source, Range within);
  static void add(Source& source, std::uint64_t offset, std::span<const std::byte> bytes);
  void read_through(const Stored& place, Range range, const Take& take);
  std::optional<std::uint32_t> right_crc(const Source& source);
  void check(Source& source);

  static std::vector<Slice> slices_of(const RewritePart& part, std::span<std::byte> into);
  void ask_for(std::span<const Slice> slices, std::uint64_t end);
  void finish_oldest();

  FileSystem& files_;
  const metadata::AccountId account_;
  const metadata::NodeId node_;
  std::unordered_map<metadata::ObjectId, Source> sources_;
  std::deque<Request> under_way_;
};

}  // namespace sftpd::vfs
