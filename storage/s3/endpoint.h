#pragma once

#include <string>

namespace storage::s3 {

/// Where a store listens: the URL an administrator writes, taken apart.
struct Endpoint {
  bool tls = true;
  std::string host;  ///< as the Host header has it: with the port unless it is the scheme's own

  /// `https://s3.eu-central-1.amazonaws.com`, `http://127.0.0.1:9000`. Throws Error(rejected) for
  /// anything with a path, user name or query.
  static Endpoint parse(const std::string& url);

  std::string origin() const { return (tls ? "https://" : "http://") + host; }
  /// The host without its port.
  std::string name() const;
  bool is_loopback() const;

  /// The endpoint of another region: Amazon's hosts carry the region's name, others serve all.
  Endpoint in_region(const std::string& region) const;
};

/// How a bucket's objects are addressed under an endpoint.
struct Address {
  std::string host;
  std::string path;  ///< not encoded
};
Address address_of(const Endpoint& endpoint, const std::string& bucket, bool path_style,
                   const std::string& key);

}  // namespace storage::s3
