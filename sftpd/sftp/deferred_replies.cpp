#include "sftpd/sftp/deferred_replies.h"

#include <deque>
#include <mutex>
#include <utility>

namespace sftpd::sftp {

struct DeferredReplies::Completions {
  explicit Completions(std::function<void()> wake) : waker(std::move(wake)) {}

  void add(std::uint64_t key) {
    {
      std::lock_guard lock(mutex);
      keys.push_back(key);
    }
    waker();
  }

  std::optional<std::uint64_t> take() {
    std::lock_guard lock(mutex);
    if (keys.empty()) return {};
    const std::uint64_t key = keys.front();
    keys.pop_front();
    return key;
  }

  std::mutex mutex;
  std::deque<std::uint64_t> keys;
  const std::function<void()> waker;
};

DeferredReplies::DeferredReplies(std::function<void()> waker)
    : completions_(std::make_shared<Completions>(std::move(waker))) {}

void DeferredReplies::add(Question question, Deferred deferred) {
  const std::uint64_t key = next_key_++;
  read_bytes_ += deferred.read_bytes;
  write_bytes_ += deferred.write_bytes;
  if (deferred.moves_names) ++moving_;
  const auto place = waiting_.emplace(key, Ready{std::move(question), std::move(deferred)}).first;
  place->second.deferred.on_ready([completions = completions_, key] { completions->add(key); });
}

std::optional<DeferredReplies::Ready> DeferredReplies::take_ready() {
  const auto key = completions_->take();
  if (!key) return {};
  auto entry = waiting_.extract(*key);
  read_bytes_ -= entry.mapped().deferred.read_bytes;
  write_bytes_ -= entry.mapped().deferred.write_bytes;
  if (entry.mapped().deferred.moves_names) --moving_;
  return std::move(entry.mapped());
}

}  // namespace sftpd::sftp
