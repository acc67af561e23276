#include "sftpd/config/quantities.h"

#include <charconv>
#include <limits>

namespace sftpd::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit size_units[] = {
    {"", 1},
    {"B", 1},
    {"K", 1ULL << 10},
    {"k", 1ULL << 10},
    {"KiB", 1ULL << 10},
    {"M", 1ULL << 20},
    {"MiB", 1ULL << 20},
    {"G", 1ULL << 30},
    {"GiB", 1ULL << 30},
    {"T", 1ULL << 40},
    {"TiB", 1ULL << 40},
    {"P", 1ULL << 50},
    {"PiB", 1ULL << 50},
};

// In milliseconds.
constexpr Unit duration_units[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"w", 604'800'000},
};

template <std::size_t N>
std::optional<std::uint64_t> parse(std::string_view text, const Unit (&units)[N]) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return {};
  const std::string_view name = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : units) {
    if (unit.name != name) continue;
    // As int64 too, so that PostgreSQL and durations can hold it.
    constexpr std::uint64_t max = std::numeric_limits<std::int64_t>::max();
    if (number > max / unit.factor) return {};
    return number * unit.factor;
  }
  return {};
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) { return parse(text, size_units); }

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds{0};
  const auto number = parse(text, duration_units);
  if (!number) return {};
  return std::chrono::milliseconds{static_cast<std::int64_t>(*number)};
}

}  // namespace sftpd::config
