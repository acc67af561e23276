#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sftpd/vfs/vfs.h"

namespace sftpd::vfs {

/// Implements the headers of vfs/ on a map, so that a fuzzer drives the real handlers a thousand
/// times a second without a database. It is linked in place of the real ones and knows only as much
/// of their meaning as it takes to reach every answer.
class FileSystem {
 public:
  struct Entry {
    Attributes attributes;
    std::string content;  ///< or a link's target
  };

  FileSystem();

  std::shared_ptr<Entry> find(const std::string& path) const;
  /// Throws not_found.
  std::shared_ptr<Entry> get(const std::string& path) const;
  void add(const std::string& path, NodeKind kind, const std::string& content);

  /// Each third answer comes only when the fuzzer says so.
  template <class T>
  storage::Future<T> answer(T value) {
    return soon_or_later<T>(
        [value = std::move(value)](auto& promise) { promise.set_value(value); });
  }
  storage::Future<void> done() {
    return soon_or_later<void>([](auto& promise) { promise.set_value(); });
  }
  /// Completes the oldest answer that is outstanding, or lets it fail.
  void complete_one(bool well);

  std::map<std::string, std::shared_ptr<Entry>> entries;

 private:
  template <class T>
  storage::Future<T> soon_or_later(std::function<void(storage::Promise<T>&)> succeed) {
    auto promise = std::make_shared<storage::Promise<T>>();
    storage::Future<T> future = promise->future();
    if (++answers_ % 3 != 0) {
      succeed(*promise);
      return future;
    }
    outstanding_.push_back([promise, succeed](bool well) {
      if (well) {
        succeed(*promise);
      } else {
        promise->set_exception(
            std::make_exception_ptr(Error(ErrorCode::store_unavailable, "fuzzed")));
      }
    });
    return future;
  }

  int answers_ = 0;
  std::deque<std::function<void(bool)>> outstanding_;
};

}  // namespace sftpd::vfs
