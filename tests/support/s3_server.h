#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "storage/s3/s3_object_store.h"

namespace test_support {

/// A real S3 server as a child process on a free port of 127.0.0.1, with a directory of its own
/// that is deleted with it. Not safe to use from several threads at once.
class S3Server {
 public:
  virtual ~S3Server();
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  /// Starts it and waits until it listens; throws std::runtime_error when it does not within a
  /// minute. The port and the contents are those of the run before.
  void start();
  /// Ends it at once, as a crash would.
  void kill();

  std::string endpoint() const;
  int port() const { return port_; }
  /// A store on a bucket that exists, quick to retry.
  storage::s3::S3ObjectStore::Options store_options() const;

 protected:
  /// Whether it speaks TLS.
  virtual bool is_tls() const { return false; }
  /// `program` is found in $SHOEBOX_TOOLS/bin, else in ~/.cache/shoebox/bin.
  explicit S3Server(std::string program);
  virtual std::vector<std::string> arguments() const = 0;
  virtual std::map<std::string, std::string> environment() const = 0;

  std::string address() const;
  std::filesystem::path data_directory() const { return directory_ / "data"; }
  static std::string key_id() { return "shoeboxtest"; }
  static std::string secret() { return "shoeboxtest-secret"; }
  static std::string bucket() { return "shoebox-test"; }

 private:
  void spawn();
  void wait_until_ready();
  bool answers() const;
  std::string log_tail() const;

  const std::filesystem::path program_;
  std::filesystem::path directory_;
  int port_ = 0;
  pid_t child_ = -1;
};

}  // namespace test_support
