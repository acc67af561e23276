#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sftpd::config {

/// "10G", "256MiB", "64k", "0": bytes, in powers of 1,024. Nothing if it is no size or too large.
/// "GB" is refused: half of its readers would expect 1,000.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// "500ms", "30s", "5m", "12h", "7d", "2w", "0". A bare number other than 0 is refused.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace sftpd::config
