#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "sftpd/sftp/replies.h"
#include "sftpd/sftp/request_counts.h"

namespace sftpd::sftp {

/// A request that is being answered, as the log calls it.
struct Question {
  std::uint32_t id = 0;
  std::string_view operation;  ///< a name of the tables, which live as long as the program
  std::string subject;         ///< the path it is about
  std::chrono::steady_clock::time_point arrived{};
  Outcome outcome = Outcome::ok;  ///< once it is answered
};

/// The requests of a session that are answered later. Lives on the connection's thread; the futures
/// are completed on others.
class DeferredReplies {
 public:
  /// `waker` is called, on any thread, when there is something to take.
  explicit DeferredReplies(std::function<void()> waker);

  void add(Question question, Deferred deferred);

  struct Ready {
    Question question;
    Deferred deferred;
  };
  /// One that is ready, in the order in which they became so; but in a line, in the order added.
  std::optional<Ready> take_ready();
  /// Whether earlier ones of its line may still be here.
  bool has_to_queue(const Deferred& deferred) const {
    return deferred.line && (lines_.contains(deferred.line) || !takeable_.empty());
  }

  std::size_t size() const { return waiting_.size(); }
  /// Of all that were added and not taken.
  std::uint64_t read_bytes() const { return read_bytes_; }
  std::uint64_t write_bytes() const { return write_bytes_; }
  bool names_are_moving() const { return moving_ != 0; }

 private:
  using Key = std::uint64_t;
  /// Survives the session in the callbacks of the futures.
  struct Completions;
  struct Waiting {
    Ready reply;
    bool completed = false;
  };

  void completed(Key key);

  std::shared_ptr<Completions> completions_;
  std::unordered_map<Key, Waiting> waiting_;
  std::unordered_map<const void*, std::deque<Key>> lines_;
  std::deque<Key> takeable_;
  Key next_key_ = 0;
  std::uint64_t read_bytes_ = 0;
  std::uint64_t write_bytes_ = 0;
  std::size_t moving_ = 0;
};

}  // namespace sftpd::sftp
