#pragma once

#include <cstddef>
#include <mutex>

namespace sftpd::ssh {

/// Room for bytes that have arrived and that programs do not take yet, shared by all connections.
///
/// Whose bytes find no room leaves the rest in its socket: TCP then holds the client back, and with
/// it all channels of that connection. As long as there is room, a channel that stands still holds
/// up no other. Safe from any thread.
class WaitingRoom {
 public:
  explicit WaitingRoom(std::size_t capacity) : capacity_(capacity) {}

  /// What one connection takes of it.
  class Place {
   public:
    explicit Place(WaitingRoom& room) : room_(room) {}
    ~Place() { (void)take(0); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    /// Whether more bytes than the `now` that wait may come, where `most` is how many waited at a
    /// time so far: it takes room for those, or gives some back.
    bool fit(std::size_t now, std::size_t most);

   private:
    bool take(std::size_t bytes);

    WaitingRoom& room_;
    std::size_t taken_ = 0;
  };

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::size_t used_ = 0;
};

}  // namespace sftpd::ssh
