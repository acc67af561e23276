#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>

namespace sftpd::vfs {

/// Names the MIME type of content by its first bytes; libmagic stops here. Safe from any thread.
class ContentType {
 public:
  /// Bytes that detect() can use.
  static constexpr std::size_t head_size = 4096;

  /// Throws vfs::Error internal if libmagic's database cannot be read.
  ContentType();
  ~ContentType();

  /// "image/jpeg", "application/octet-stream" ... Never fails: what is not known is octet-stream.
  /// Source code and other text that does not begin with a sign of its kind is text/plain.
  std::string detect(std::span<const std::byte> head);

 private:
  struct Magic;
  std::mutex mutex_;
  std::unique_ptr<Magic> magic_;
};

}  // namespace sftpd::vfs
