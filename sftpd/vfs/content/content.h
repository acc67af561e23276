#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "metadata/repositories/versions.h"

namespace sftpd::vfs {

class ObjectWriter;

/// Where some bytes of a file are. `offset` is that of the first byte in the place it names.
struct Zeros {};
struct Stored {
  metadata::ObjectId object;
  std::shared_ptr<const std::string> key;
  std::uint64_t object_size = 0;
  std::uint64_t offset = 0;
  std::shared_ptr<const metadata::Checksums> checksums;  ///< of the whole object; null: none
};
struct Inline {
  std::shared_ptr<const std::string> bytes;
  std::uint64_t offset = 0;
};
struct Scratch {
  std::uint64_t offset = 0;
};
struct Streamed {  ///< in an object that is still being written
  std::shared_ptr<ObjectWriter> writer;
  std::uint64_t offset = 0;
};
using Source = std::variant<Zeros, Stored, Inline, Scratch, Streamed>;

struct Piece {
  std::uint64_t offset = 0;  ///< in the file
  std::uint64_t length = 0;
  Source source;
};

/// What a file consists of: pieces in order that do not overlap; the rest is zeros. It has no size
/// of its own. Not thread-safe.
class Content {
 public:
  Content() = default;
  static Content of(const metadata::Version& version);

  /// From now on these bytes come from `source`. Neighbours that continue each other become one.
  void assign(std::uint64_t offset, std::uint64_t length, Source source);
  /// From now on these bytes are zeros.
  void erase(std::uint64_t offset, std::uint64_t length) { carve(offset, offset + length); }
  /// Forgets everything from `size` on.
  void truncate(std::uint64_t size);

  /// Exactly the bytes asked for, in order, with Zeros for the gaps.
  std::vector<Piece> pieces(std::uint64_t offset, std::uint64_t length) const;
  /// All pieces but gaps.
  std::vector<Piece> all() const;
  std::size_t count() const { return pieces_.size(); }

  /// Lets every piece that comes from `writer` come from the same offset of `place` instead.
  void replace(const ObjectWriter* writer, const Source& place);
  bool refers_to(const ObjectWriter* writer) const;
  /// Where this has the same as `before`, it now has what `now` has there: the same bytes, in
  /// another place. False if nothing changed.
  bool follow(const Content& before, const Content& now);

 private:
  void carve(std::uint64_t offset, std::uint64_t end);
  void merge_around(std::map<std::uint64_t, Piece>::iterator piece);

  std::map<std::uint64_t, Piece> pieces_;
};

std::shared_ptr<const metadata::Checksums> shared_checksums(const metadata::Checksums& checksums);
std::shared_ptr<const metadata::Checksums> shared_checksums(const metadata::FinishedObject& object);

/// The same place, `by` bytes further on.
Source advanced(Source source, std::uint64_t by);

}  // namespace sftpd::vfs
