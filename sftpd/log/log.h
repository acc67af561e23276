#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// The server's log: one event a line on standard error, as `event key=value key=value`.
///
/// Safe from any thread; never throws, and waits only for standard error itself. Values that hold
/// spaces, quotes, control or non-ASCII bytes are quoted and escaped, so nothing a client sends can
/// forge or break a line. Never pass a password, a hash, a token or file content.
///
/// Keys that mean the same everywhere: `conn` (connection number), `channel` (of a connection, from
/// 1), `req` (request of a channel), `user`, `address`, `path`, `bytes`, `seconds`, `reason`.
namespace sftpd::log {

enum class Level { debug, info, warning, error };

/// "debug", "info", "warning" or "error"; throws std::invalid_argument else.
Level parse_level(std::string_view name);

struct Options {
  Level level = Level::info;
  /// Lines begin with `<N>` (syslog priority) and have no time of their own, as journald wants
  /// them.
  bool for_journald = false;

  /// The given level, and for_journald if standard error is what JOURNAL_STREAM names: children
  /// inherit the variable also where their errors go elsewhere.
  static Options from_environment(Level level);
};

/// Sets the log up; called once, before other threads start. Without it, `info` and above are
/// written with a time.
void start(const Options& options);

/// Changes the level, at any time.
void set_level(Level level) noexcept;

/// One `key=value`. The key is ours: letters, digits and '_'.
struct Field {
  Field(std::string_view key_name, std::string_view text) : key(key_name), value(text) {}
  Field(std::string_view key_name, const char* text)
      : key(key_name), value(std::string_view(text)) {}
  Field(std::string_view key_name, const std::string& text)
      : key(key_name), value(std::string_view(text)) {}
  Field(std::string_view key_name, bool flag)
      : key(key_name), value(std::string_view(flag ? "yes" : "no")) {}
  Field(std::string_view key_name, double number) : key(key_name), value(number) {}
  template <std::integral Number>
  Field(std::string_view key_name, Number number) : key(key_name) {
    if constexpr (std::signed_integral<Number>) {
      value = static_cast<std::int64_t>(number);
    } else {
      value = static_cast<std::uint64_t>(number);
    }
  }

  std::string_view key;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double> value;
};
using Fields = std::initializer_list<Field>;

/// `event` is ours too: a word or two, such as "login refused".
void write(Level level, std::string_view event, Fields fields) noexcept;
inline void debug(std::string_view event, Fields fields = {}) noexcept {
  write(Level::debug, event, fields);
}
inline void info(std::string_view event, Fields fields = {}) noexcept {
  write(Level::info, event, fields);
}
inline void warning(std::string_view event, Fields fields = {}) noexcept {
  write(Level::warning, event, fields);
}
inline void error(std::string_view event, Fields fields = {}) noexcept {
  write(Level::error, event, fields);
}
/// Whether a line of this level would be written.
bool enabled(Level level) noexcept;

/// The text of a line, without time and priority: what write() writes.
std::string format(std::string_view event, Fields fields);

/// One finished upload or download.
struct Transfer {
  std::uint64_t connection = 0;
  std::uint32_t channel = 0;
  std::optional<std::uint32_t> request = {};  ///< the CLOSE, if there was one
  std::string_view user;
  std::string_view path;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  double seconds = 0;
  /// Empty if all went well.
  std::string_view failure;
};
void transfer(const Transfer& transfer) noexcept;

}  // namespace sftpd::log
