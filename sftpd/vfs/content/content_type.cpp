#include "sftpd/vfs/content/content_type.h"

#include <magic.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string_view>

#include "sftpd/vfs/error.h"

namespace sftpd::vfs {

namespace {

/// Text that begins so may be more than text.
constexpr std::string_view promising[] = {
    "<",         "{",     "[",         "#!",           "#EXT",   "%!",  "%PDF", "-----BEGIN",
    "BEGIN:",    "From ", "Received:", "Return-Path:", "WEBVTT", "1\n", "1\r",  "!<arch>",
    "/* XPM */", "P1",    "P2",        "P3",           "solid ", "ply"};

bool is_text_byte(unsigned char c) {
  return (c >= 0x20 && c != 0x7F) || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/// Bytes that follow the first one of a UTF-8 character, or nothing if none begins so.
std::optional<std::size_t> bytes_to_follow(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xC2 && first <= 0xDF) return 1;
  if (first >= 0xE0 && first <= 0xEF) return 2;
  if (first >= 0xF0 && first <= 0xF4) return 3;
  return {};
}

/// Whether all of it is UTF-8 without control characters; the last character may be cut off.
bool is_text(std::string_view head) {
  std::size_t follow = 0;
  for (const char each : head) {
    const auto c = static_cast<unsigned char>(each);
    if (follow > 0) {
      if ((c & 0xC0) != 0x80) return false;
      --follow;
      continue;
    }
    const auto more = bytes_to_follow(c);
    if (!more || !is_text_byte(c)) return false;
    follow = *more;
  }
  return true;
}

/// libmagic compiles dozens of regular expressions for each text it sees, which takes milliseconds.
/// So it is asked about those only that promise more than words.
bool is_plain_text(std::string_view head) {
  std::string_view begin = head;
  if (begin.starts_with("\xEF\xBB\xBF")) begin.remove_prefix(3);
  begin.remove_prefix(std::min(begin.find_first_not_of(" \t\r\n\f"), begin.size()));
  const bool promises =
      std::any_of(std::begin(promising), std::end(promising),
                  [begin](std::string_view prefix) { return begin.starts_with(prefix); });
  return !promises && is_text(head);
}

}  // namespace

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
  head = head.first(std::min(head.size(), head_size));
  if (is_plain_text({reinterpret_cast<const char*>(head.data()), head.size()})) return "text/plain";
  std::lock_guard lock(mutex_);
  const char* type = ::magic_buffer(magic_->cookie, head.data(), head.size());
  return type ? type : "application/octet-stream";
}

}  // namespace sftpd::vfs
