#include "sftpd/vfs/writing/memory_pool.h"

#include <algorithm>

namespace sftpd::vfs {

namespace {
constexpr std::size_t first_piece_max = std::size_t{1} << 20;
}

MemoryPool::Share::Share(MemoryPool& pool) : pool_(pool) {
  std::lock_guard lock(pool_.mutex_);
  ++pool_.shares_;
  ++pool_.alive_;
}

MemoryPool::Share::~Share() {
  {
    std::unique_lock lock(pool_.mutex_);
    --pool_.shares_;
    pool_.release_locked(held_, lock);
  }
  std::lock_guard lock(pool_.mutex_);
  if (--pool_.alive_ == 0) pool_.unshared_.notify_all();
}

bool MemoryPool::Share::try_reserve(std::size_t bytes) {
  std::lock_guard lock(pool_.mutex_);
  const std::size_t fair = pool_.capacity_ / std::max<std::size_t>(1, pool_.shares_);
  const bool first = held_ == 0 && bytes <= first_piece_max;
  if (held_ + bytes > fair && !first) return false;
  if (pool_.used_ + bytes > pool_.capacity_) return false;
  held_ += bytes;
  pool_.used_ += bytes;
  return true;
}

void MemoryPool::Share::release(std::size_t bytes) {
  std::unique_lock lock(pool_.mutex_);
  held_ -= bytes;
  pool_.release_locked(bytes, lock);
}

std::size_t MemoryPool::Share::fair_part() const {
  std::lock_guard lock(pool_.mutex_);
  return pool_.capacity_ / std::max<std::size_t>(1, pool_.shares_);
}

std::size_t MemoryPool::Share::held() const {
  std::lock_guard lock(pool_.mutex_);
  return held_;
}

bool MemoryPool::try_reserve(std::size_t bytes) {
  std::lock_guard lock(mutex_);
  // Windows may take half: files being written must always get on.
  if (used_ + bytes > capacity_ / 2) return false;
  used_ += bytes;
  return true;
}

void MemoryPool::release(std::size_t bytes) {
  std::unique_lock lock(mutex_);
  release_locked(bytes, lock);
}

std::uint64_t MemoryPool::releases() const {
  std::lock_guard lock(mutex_);
  return releases_;
}

void MemoryPool::when_released(std::uint64_t seen, std::function<void()> callback) {
  {
    std::lock_guard lock(mutex_);
    if (releases_ == seen) {
      waiting_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void MemoryPool::wait_until_unshared() {
  std::unique_lock lock(mutex_);
  unshared_.wait(lock, [this] { return alive_ == 0; });
}

std::size_t MemoryPool::used() const {
  std::lock_guard lock(mutex_);
  return used_;
}

std::size_t MemoryPool::waiting() const {
  std::lock_guard lock(mutex_);
  return waiting_.size();
}

void MemoryPool::release_locked(std::size_t bytes, std::unique_lock<std::mutex>& lock) {
  used_ -= bytes;
  ++releases_;
  std::vector<std::function<void()>> waiting;
  waiting.swap(waiting_);
  lock.unlock();
  for (auto& callback : waiting) callback();
}

}  // namespace sftpd::vfs
