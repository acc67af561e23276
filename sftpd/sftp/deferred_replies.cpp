#include "sftpd/sftp/deferred_replies.h"

#include <mutex>
#include <utility>

namespace sftpd::sftp {

struct DeferredReplies::Completions {
  explicit Completions(std::function<void()> wake) : waker(std::move(wake)) {}

  void add(Key key) {
    {
      std::lock_guard lock(mutex);
      keys.push_back(key);
    }
    waker();
  }

  std::optional<Key> take() {
    std::lock_guard lock(mutex);
    if (keys.empty()) return {};
    const Key key = keys.front();
    keys.pop_front();
    return key;
  }

  std::mutex mutex;
  std::deque<Key> keys;
  const std::function<void()> waker;
};

DeferredReplies::DeferredReplies(std::function<void()> waker)
    : completions_(std::make_shared<Completions>(std::move(waker))) {}

void DeferredReplies::add(Question question, Deferred deferred) {
  const Key key = next_key_++;
  read_bytes_ += deferred.read_bytes;
  write_bytes_ += deferred.write_bytes;
  if (deferred.moves_names) ++moving_;
  if (deferred.line) lines_[deferred.line].push_back(key);
  const auto place =
      waiting_.emplace(key, Waiting{{std::move(question), std::move(deferred)}}).first;
  place->second.reply.deferred.on_ready(
      [completions = completions_, key] { completions->add(key); });
}

/// Lets it be taken, with those that stood behind it in its line; or not yet.
void DeferredReplies::completed(Key key) {
  Waiting& waiting = waiting_.at(key);
  waiting.completed = true;
  const auto line = lines_.find(waiting.reply.deferred.line);
  if (line == lines_.end()) return takeable_.push_back(key);
  auto& keys = line->second;
  while (!keys.empty() && waiting_.at(keys.front()).completed) {
    takeable_.push_back(keys.front());
    keys.pop_front();
  }
  if (keys.empty()) lines_.erase(line);
}

std::optional<DeferredReplies::Ready> DeferredReplies::take_ready() {
  while (takeable_.empty()) {
    const auto key = completions_->take();
    if (!key) return {};
    completed(*key);
  }
  auto entry = waiting_.extract(takeable_.front());
  takeable_.pop_front();
  Ready& reply = entry.mapped().reply;
  read_bytes_ -= reply.deferred.read_bytes;
  write_bytes_ -= reply.deferred.write_bytes;
  if (reply.deferred.moves_names) --moving_;
  return std::move(reply);
}

}  // namespace sftpd::sftp
