#include "sftpd/log/log.h"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>

#include "sftpd/log/escape.h"

namespace sftpd::log {
namespace {

struct Output {
  std::shared_ptr<spdlog::logger> logger;
  bool for_journald = false;
};

Output make_output(const Options& options);

Output& output() {
  static Output the_output = make_output(Options{});
  return the_output;
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

/// sd-daemon(3): journald takes the priority from the beginning of the line.
const char* journald_prefix(Level level) {
  switch (level) {
    case Level::debug:
      return "<7>";
    case Level::info:
      return "<6>";
    case Level::warning:
      return "<4>";
    case Level::error:
      return "<3>";
  }
  return "<3>";
}

/// systemd.exec(5): JOURNAL_STREAM holds device and inode of the journal's socket, in decimal.
bool stderr_is_the_journal() {
  const char* named = std::getenv("JOURNAL_STREAM");
  struct stat found {};
  if (named == nullptr || ::fstat(STDERR_FILENO, &found) != 0) return false;
  return fmt::format("{}:{}", found.st_dev, found.st_ino) == named;
}

Output make_output(const Options& options) {
  auto logger = std::make_shared<spdlog::logger>("shoebox",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog_level(options.level));
  logger->set_pattern(options.for_journald ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  return {std::move(logger), options.for_journald};
}

struct AppendValue {
  std::string& line;
  void operator()(std::string_view text) const { append_escaped(line, text); }
  void operator()(std::int64_t number) const { line += std::to_string(number); }
  void operator()(std::uint64_t number) const { line += std::to_string(number); }
  void operator()(double number) const { line += fmt::format("{:.3f}", number); }
};

}  // namespace

Level parse_level(std::string_view name) {
  if (name == "debug") return Level::debug;
  if (name == "info") return Level::info;
  if (name == "warning") return Level::warning;
  if (name == "error") return Level::error;
  throw std::invalid_argument(
      fmt::format("'{}' is no log level: debug, info, warning or error", name));
}

Options Options::from_environment(Level level) { return {level, stderr_is_the_journal()}; }

void start(const Options& options) { output() = make_output(options); }

void set_level(Level level) noexcept { output().logger->set_level(spdlog_level(level)); }

bool enabled(Level level) noexcept { return output().logger->should_log(spdlog_level(level)); }

std::string format(std::string_view event, Fields fields) {
  std::string line(event);
  for (const Field& field : fields) {
    line += ' ';
    line += field.key;
    line += '=';
    std::visit(AppendValue{line}, field.value);
  }
  return line;
}

void write(Level level, std::string_view event, Fields fields) noexcept try {
  Output& to = output();
  if (!to.logger->should_log(spdlog_level(level))) return;
  std::string line = to.for_journald ? journald_prefix(level) : "";
  line += format(event, fields);
  to.logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
} catch (...) {
  // A line that cannot be written (no memory) must not end a transfer.
}

void transfer(const Transfer& done) noexcept {
  const std::string request = done.request ? std::to_string(*done.request) : "";
  if (done.failure.empty()) {
    info("transfer", {{"conn", done.connection},
                      {"channel", done.channel},
                      {"req", request},
                      {"user", done.user},
                      {"path", done.path},
                      {"read", done.bytes_read},
                      {"written", done.bytes_written},
                      {"seconds", done.seconds}});
    return;
  }
  warning("transfer failed", {{"conn", done.connection},
                              {"channel", done.channel},
                              {"req", request},
                              {"user", done.user},
                              {"path", done.path},
                              {"read", done.bytes_read},
                              {"written", done.bytes_written},
                              {"seconds", done.seconds},
                              {"reason", done.failure}});
}

}  // namespace sftpd::log
