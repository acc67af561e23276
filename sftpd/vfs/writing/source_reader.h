#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/content/rewrite_plan.h"
#include "storage/future.h"
#include "storage/payload.h"

namespace sftpd::vfs {

class FileSystem;

/// Reads what parts of a new object consist of. Slices of one object that lie near each other come
/// with one request: an edited file's are tens of thousands. Waits for the store. Not thread-safe.
class SourceReader {
 public:
  explicit SourceReader(FileSystem& files) : files_(files) {}

  /// Fills `into`, which is zeros, with the part's bytes. Throws storage::Error, content_damaged.
  void read(const RewritePart& part, std::span<std::byte> into);

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

  static std::vector<Slice> slices_of(const RewritePart& part, std::span<std::byte> into);
  void ask_for(std::span<const Slice> slices, std::uint64_t end);
  void finish_oldest();

  FileSystem& files_;
  std::deque<Request> under_way_;
};

}  // namespace sftpd::vfs
