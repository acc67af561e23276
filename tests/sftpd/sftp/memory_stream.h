#pragma once

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <string>

#include "sftpd/byte_stream.h"

namespace sftpd {

/// A channel in memory: the test is the client, and says how far reads and writes get.
class MemoryStream : public ByteStream {
 public:
  std::size_t read(std::span<std::byte> into) override {
    const std::size_t count = std::min({into.size(), incoming.size() - taken_, bytes_per_read_max});
    std::memcpy(into.data(), incoming.data() + taken_, count);
    taken_ += count;
    return count;
  }
  bool at_eof() const override { return client_ended && taken_ == incoming.size(); }
  void write(std::span<const std::byte> bytes) override { append(outgoing, bytes); }
  void write_error(std::span<const std::byte> bytes) override { append(errors, bytes); }
  std::size_t queued_bytes() const override { return window_closed ? outgoing.size() : 0; }
  std::function<void()> waker() override {
    return [count = wakes_] {
      ++*count;
      count->notify_all();
    };
  }

  std::size_t unread() const { return incoming.size() - taken_; }

  std::string incoming;  ///< from the client
  bool client_ended = false;
  std::size_t bytes_per_read_max = static_cast<std::size_t>(-1);
  std::string outgoing;  ///< to the client
  std::string errors;
  bool window_closed = false;  ///< everything written stays queued
  int wakes() const { return *wakes_; }
  /// Returns when there were others than those `seen`.
  void wait_for_wake(int seen) const { wakes_->wait(seen); }

 private:
  static void append(std::string& to, std::span<const std::byte> bytes) {
    to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::size_t taken_ = 0;
  /// Outlives the stream in its wakers.
  std::shared_ptr<std::atomic<int>> wakes_ = std::make_shared<std::atomic<int>>(0);
};

}  // namespace sftpd
