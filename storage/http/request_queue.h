#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>

#include "storage/http/multi_engine.h"
#include "storage/http/transfer.h"

namespace storage::http {

/// Requests that wait for a connection, and whose turn it is. Not thread-safe.
///
/// Small ones go before bulky ones, for which a quarter of the connections is not available; nor do
/// small ones get the last quarter while bulky ones wait, so that neither starves. Among their like
/// the turns (Request::turn) come one after the other: a hundred parts of one object delay another
/// object's request no more than one part does.
class RequestQueue {
 public:
  struct Waiting {
    Request request;
    MultiEngine::Done done;
  };

  explicit RequestQueue(std::size_t connections_max);

  void push(Waiting waiting);
  std::size_t size() const { return small_.size + bulky_.size; }
  bool empty() const { return size() == 0; }
  /// Taken out and not ended.
  std::size_t active() const { return small_.active + bulky_.active; }

  /// Whether one may begin now.
  bool ready() const;
  /// Takes it out; it occupies a connection until ended().
  Waiting pop();
  void ended(bool bulky);

 private:
  struct Lane {
    std::map<std::string, std::deque<Waiting>> turns;  ///< none is empty
    std::deque<std::string> order;                     ///< each of turns once
    std::size_t size = 0;
    std::size_t active = 0;

    void push(Waiting waiting);
    Waiting pop();
  };

  bool bulky_may_begin() const;

  const std::size_t connections_max_;
  const std::size_t kept_;       ///< connections that each kind leaves to the other
  const std::size_t bulky_max_;  ///< at once
  Lane small_;
  Lane bulky_;
  bool bulky_was_last_ = false;  ///< of those that both wanted
};

}  // namespace storage::http
