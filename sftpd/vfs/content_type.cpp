#include "sftpd/vfs/content_type.h"

#include <magic.h>

#include <algorithm>

#include "sftpd/vfs/error.h"

namespace sftpd::vfs {

struct ContentType::Magic {
  magic_t cookie = ::magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS | MAGIC_NO_CHECK_ELF);
  ~Magic() {
    if (cookie) ::magic_close(cookie);
  }
};

ContentType::ContentType() : magic_(std::make_unique<Magic>()) {
  if (!magic_->cookie || ::magic_load(magic_->cookie, nullptr) != 0) {
    throw Error(ErrorCode::internal, "libmagic's database cannot be read: is libmagic-mgc there?");
  }
}

ContentType::~ContentType() = default;

std::string ContentType::detect(std::span<const std::byte> head) {
  if (head.empty()) return "application/x-empty";
  std::lock_guard lock(mutex_);
  const char* type = ::magic_buffer(magic_->cookie, head.data(), std::min(head.size(), head_size));
  return type ? type : "application/octet-stream";
}

}  // namespace sftpd::vfs
