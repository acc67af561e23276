#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <unordered_map>

namespace sftpd::limits {

/// Who waits, in groups: the groups come in turn, and within a group who came first. So a group
/// with a hundred waiters delays the others no more than a group with one. Not thread-safe.
template <class Waiter>
class Turns {
 public:
  bool empty() const { return order_.empty(); }

  void add(std::int64_t group, Waiter waiter) {
    auto& waiting = groups_[group];
    if (waiting.empty()) order_.push_back(group);
    waiting.push_back(waiter);
  }

  /// Takes out whose turn it is. There must be one.
  Waiter next() {
    const std::int64_t group = order_.front();
    order_.pop_front();
    const auto at = groups_.find(group);
    const Waiter waiter = at->second.front();
    at->second.pop_front();
    if (at->second.empty()) {
      groups_.erase(at);
    } else {
      order_.push_back(group);
    }
    return waiter;
  }

  /// Takes out one that waits no more.
  void remove(std::int64_t group, Waiter waiter) {
    const auto at = groups_.find(group);
    if (at == groups_.end()) return;
    std::erase(at->second, waiter);
    if (!at->second.empty()) return;
    groups_.erase(at);
    std::erase(order_, group);
  }

 private:
  std::unordered_map<std::int64_t, std::deque<Waiter>> groups_;  ///< none is empty
  std::deque<std::int64_t> order_;                               ///< each of groups_ once
};

}  // namespace sftpd::limits
