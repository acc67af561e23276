#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sftpd::admin::fsck {

enum class Kind {
  object_missing,     ///< the database counts on an object that the store does not have
  object_size,        ///< the object has another size than its row says
  object_damaged,     ///< its bytes do not have the checksum of its row
  object_unreadable,  ///< the store failed when asked
  key_unknown,        ///< the store has an object of ours that the database does not know
  rows_contradict,    ///< rows of the database contradict each other
  waiting,            ///< left over, and the collector will see to it: no problem
};

/// What was found: problems one by one, up to a bound, and counts.
class Report {
 public:
  /// `print` gets each problem's line.
  explicit Report(std::function<void(const std::string& line)> print) : print_(std::move(print)) {}

  void add(Kind kind, const std::string& line);
  void count_object() { ++objects_; }

  std::uint64_t objects() const { return objects_; }
  std::uint64_t count(Kind kind) const;
  /// Everything but what waits for the collector.
  std::uint64_t problems() const;

 private:
  std::function<void(const std::string&)> print_;
  std::map<Kind, std::uint64_t> counts_;
  std::uint64_t objects_ = 0;
};

}  // namespace sftpd::admin::fsck
