#include "storage/s3/endpoint.h"

#include <algorithm>
#include <string_view>

#include "storage/error.h"

namespace storage::s3 {
namespace {

constexpr std::string_view amazon_domain = ".amazonaws.com";

bool is_host_character(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == ':' || c == '[' || c == ']' || c == '_';
}

}  // namespace

Endpoint Endpoint::parse(const std::string& url) {
  std::string_view rest = url;
  Endpoint endpoint;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
    endpoint.tls = false;
  } else {
    throw Error(ErrorCode::rejected, "the endpoint must begin with https:// or http://: " + url);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || !std::all_of(rest.begin(), rest.end(), is_host_character)) {
    throw Error(ErrorCode::rejected, "the endpoint must be scheme://host or scheme://host:port");
  }
  // curl leaves the scheme's own port out of the Host header, and that is what is signed.
  const std::string_view own_port = endpoint.tls ? ":443" : ":80";
  if (rest.ends_with(own_port)) rest.remove_suffix(own_port.size());
  endpoint.host = rest;
  return endpoint;
}

std::string Endpoint::name() const {
  const auto bracket = host.find(']');  // [::1]:9000
  const auto colon = host.find(':', bracket == std::string::npos ? 0 : bracket);
  return host.substr(0, colon);
}

bool Endpoint::is_loopback() const {
  const std::string host_name = name();
  return host_name == "localhost" || host_name == "[::1]" || host_name.starts_with("127.");
}

Endpoint Endpoint::in_region(const std::string& region) const {
  const std::string host_name = name();
  if (!host_name.starts_with("s3") || !host_name.ends_with(amazon_domain)) return *this;
  Endpoint moved = *this;
  moved.host = "s3." + region + std::string(amazon_domain);
  return moved;
}

Address address_of(const Endpoint& endpoint, const std::string& bucket, bool path_style,
                   const std::string& key) {
  if (path_style) return {endpoint.host, "/" + bucket + "/" + key};
  return {bucket + "." + endpoint.host, "/" + key};
}

}  // namespace storage::s3
