#include "storage/s3/sigv4_signer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <ctime>
#include <span>

namespace storage::s3 {
namespace {

constexpr std::string_view algorithm = "AWS4-HMAC-SHA256";
constexpr std::size_t day_digits = 8;

bool is_unreserved(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string encode(std::string_view text, bool keep_slashes) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size() + 16);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (is_unreserved(byte) || (keep_slashes && c == '/')) {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

std::span<const unsigned char> bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

// 20130524T000000Z
std::string timestamp_of(SigV4Signer::Time now) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return {text, size};
}

// Trimmed, with each run of inner spaces made one.
std::string canonical_value(std::string_view value) {
  std::string text;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (text.empty() || text.back() == ' ')) continue;
    text += blank ? ' ' : c;
  }
  if (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

http::Headers sorted(http::Headers headers) {
  std::sort(headers.begin(), headers.end());
  return headers;
}

std::string signed_names(const http::Headers& sorted_headers) {
  std::string names;
  for (const auto& [name, value] : sorted_headers) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

}  // namespace

std::string uri_encode(std::string_view text) { return encode(text, false); }
std::string uri_encode_path(std::string_view path) { return encode(path, true); }

std::string canonical_query(const http::Headers& query) {
  http::Headers encoded;
  encoded.reserve(query.size());
  for (const auto& [name, value] : query) {
    encoded.emplace_back(uri_encode(name), uri_encode(value));
  }
  std::sort(encoded.begin(), encoded.end());
  std::string text;
  for (const auto& [name, value] : encoded) {
    if (!text.empty()) text += '&';
    text += name + '=' + value;
  }
  return text;
}

SigV4Signer::SigV4Signer(Credentials credentials, std::string service)
    : credentials_(std::move(credentials)), service_(std::move(service)) {}

void SigV4Signer::sign(Signable& request, Time now, const std::string& region) const {
  const std::string timestamp = timestamp_of(now);
  request.headers.emplace_back("x-amz-date", timestamp);
  if (!credentials_.session_token.empty()) {
    request.headers.emplace_back("x-amz-security-token", credentials_.session_token);
  }
  const std::string names = signed_names(sorted(request.headers));
  request.headers.emplace_back(
      "authorization", fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", algorithm,
                                   credentials_.key_id, scope(timestamp, region), names,
                                   signature(request, timestamp, region)));
}

std::string SigV4Signer::presign(Signable request, Time now, const std::string& region,
                                 std::chrono::seconds lifetime) const {
  const std::string timestamp = timestamp_of(now);
  auto& query = request.query;
  query.emplace_back("X-Amz-Algorithm", algorithm);
  query.emplace_back("X-Amz-Credential", credentials_.key_id + "/" + scope(timestamp, region));
  query.emplace_back("X-Amz-Date", timestamp);
  query.emplace_back("X-Amz-Expires", std::to_string(lifetime.count()));
  query.emplace_back("X-Amz-SignedHeaders", signed_names(sorted(request.headers)));
  if (!credentials_.session_token.empty()) {
    query.emplace_back("X-Amz-Security-Token", credentials_.session_token);
  }
  request.payload_hash = unsigned_payload;
  return canonical_query(query) + "&X-Amz-Signature=" + signature(request, timestamp, region);
}

std::string SigV4Signer::canonical_request(const Signable& request) {
  const http::Headers headers = sorted(request.headers);
  std::string text = request.method + '\n' + uri_encode_path(request.path) + '\n' +
                     canonical_query(request.query) + '\n';
  for (const auto& [name, value] : headers) text += name + ':' + canonical_value(value) + '\n';
  return text + '\n' + signed_names(headers) + '\n' + request.payload_hash;
}

std::string SigV4Signer::signature(const Signable& request, const std::string& timestamp,
                                   const std::string& region) const {
  const std::string text =
      fmt::format("{}\n{}\n{}\n{}", algorithm, timestamp, scope(timestamp, region),
                  sha256_hex(canonical_request(request)));
  return hex(hmac_sha256(signing_key(timestamp.substr(0, day_digits), region), text));
}

std::string SigV4Signer::scope(const std::string& timestamp, const std::string& region) const {
  return fmt::format("{}/{}/{}/aws4_request", timestamp.substr(0, day_digits), region, service_);
}

Sha256Digest SigV4Signer::signing_key(const std::string& day, const std::string& region) const {
  const std::string wanted = day + "/" + region;
  std::lock_guard lock(mutex_);
  if (cached_for_ != wanted) {
    const auto of_day = hmac_sha256(bytes_of("AWS4" + credentials_.secret), day);
    const auto of_region = hmac_sha256(of_day, region);
    const auto of_service = hmac_sha256(of_region, service_);
    cached_key_ = hmac_sha256(of_service, "aws4_request");
    cached_for_ = wanted;
  }
  return cached_key_;
}

}  // namespace storage::s3
