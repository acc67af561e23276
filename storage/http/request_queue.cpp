#include "storage/http/request_queue.h"

#include <algorithm>
#include <utility>

namespace storage::http {

RequestQueue::RequestQueue(std::size_t connections_max)
    : connections_max_(connections_max),
      kept_(std::max<std::size_t>(1, connections_max / 4)),
      bulky_max_(std::max<std::size_t>(1, connections_max - std::min(kept_, connections_max))) {}

void RequestQueue::push(Waiting waiting) {
  Lane& lane = waiting.request.bulky ? bulky_ : small_;
  lane.push(std::move(waiting));
}

bool RequestQueue::bulky_may_begin() const { return bulky_.size > 0 && bulky_.active < bulky_max_; }

bool RequestQueue::ready() const {
  if (small_.active + bulky_.active >= connections_max_) return false;
  return small_.size > 0 || bulky_may_begin();
}

RequestQueue::Waiting RequestQueue::pop() {
  bool bulky = bulky_may_begin();
  if (bulky && small_.size > 0) {
    // Where one connection is all there is, they alternate.
    bulky = bulky_.active < kept_ && !bulky_was_last_;
    bulky_was_last_ = bulky;
  }
  Lane& lane = bulky ? bulky_ : small_;
  ++lane.active;
  return lane.pop();
}

void RequestQueue::ended(bool bulky) { --(bulky ? bulky_ : small_).active; }

void RequestQueue::Lane::push(Waiting waiting) {
  auto& turn = turns[waiting.request.turn];
  if (turn.empty()) order.push_back(waiting.request.turn);
  turn.push_back(std::move(waiting));
  ++size;
}

RequestQueue::Waiting RequestQueue::Lane::pop() {
  const auto turn = turns.find(order.front());
  order.pop_front();
  Waiting first = std::move(turn->second.front());
  turn->second.pop_front();
  --size;
  if (turn->second.empty()) {
    turns.erase(turn);
  } else {
    order.push_back(turn->first);
  }
  return first;
}

}  // namespace storage::http
