#pragma once

#include <zlib.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace sftpd::jobs {

/// Compresses text to one gzip file in memory. Throws std::bad_alloc. Not thread-safe.
class GzipWriter {
 public:
  GzipWriter();
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  void add(std::string_view text);
  /// Bytes of the file so far; some more are on their way.
  std::size_t size_bytes() const { return file_.size(); }
  /// The whole file. The next add() begins another one.
  std::vector<std::byte> finish();

 private:
  void run(std::string_view text, int flush);

  z_stream stream_{};
  std::vector<std::byte> file_;
};

/// Reads a gzip file that comes piece by piece. Not thread-safe.
class GzipReader {
 public:
  using Take = std::function<void(std::string_view text)>;

  GzipReader();
  ~GzipReader();
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  /// Calls `take` with what the bytes say, in pieces of 64 KiB at most. Throws std::runtime_error
  /// if they are no gzip file.
  void add(std::span<const std::byte> bytes, const Take& take);
  /// Whether the file is whole.
  bool ended() const { return ended_; }

 private:
  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace sftpd::jobs
