#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "metadata/ids.h"
#include "metadata/transfer_rates.h"

namespace sftpd::limits {

enum class Direction { upload, download };

/// Bytes per second; 0: no limit.
struct Rates {
  std::uint64_t upload = 0;
  std::uint64_t download = 0;
  bool operator==(const Rates&) const = default;
};

struct BandwidthOptions {
  Rates process;  ///< for all users together
  Rates user;     ///< for each user whose row says nothing else
  /// How long somebody who has saved may go faster than the rate; at least 64 KiB.
  std::chrono::milliseconds burst{1000};
};

/// One user as long as there are connections of theirs.
class UserTraffic;
using UserTrafficPtr = std::shared_ptr<UserTraffic>;

/// How fast bytes may move, for the process and for each user; all rates may change at any time.
/// Thread-safe. Must outlive every Flow and UserTraffic.
///
/// Who moves much waits for a turn: the users' connections in turn, and where the process's rate is
/// reached the users in turn. Who moves little (a listing beside an upload) does not wait, and pays
/// with the others: see docs/adr.
class Bandwidth {
 public:
  explicit Bandwidth(const BandwidthOptions& options);
  ~Bandwidth();
  Bandwidth(const Bandwidth&) = delete;
  Bandwidth& operator=(const Bandwidth&) = delete;

  void change(const BandwidthOptions& options);

  /// A connection of the user's begins, and ends with what this returns. `rates` are the newest.
  UserTrafficPtr enter(metadata::UserId user, const metadata::TransferRates& rates);
  /// Users with connections.
  std::vector<metadata::UserId> users();
  /// How often a channel came to where it had to wait for its turn, both ways.
  struct Waits {
    std::uint64_t uploads = 0;
    std::uint64_t downloads = 0;
  };
  Waits waits() const;
  /// True if these rates are news. Nothing happens without a connection of the user's.
  bool change_user(metadata::UserId user, const metadata::TransferRates& rates);

 private:
  friend class Flow;
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The bytes of one channel, both ways. Used by one thread.
class Flow {
 public:
  /// `wake` is called when the turn comes that allow() refused: on any thread, under a lock, so it
  /// must neither wait nor call back. Channels of one `connection` share its turn.
  Flow(Bandwidth& bandwidth, UserTrafficPtr user, std::uint64_t connection,
       std::function<void()> wake);
  ~Flow();
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  /// How many of `wanted` bytes may be moved now. 0: none, `wake` will be called.
  std::size_t allow(Direction direction, std::size_t wanted);
  /// Pays for bytes that were moved.
  void moved(Direction direction, std::size_t bytes);
  /// Whether it waits for a turn.
  bool waits() const;

 private:
  class Lane;
  Bandwidth::Impl& bandwidth_;
  UserTrafficPtr user_;
  std::unique_ptr<Lane> lanes_[2];
};

}  // namespace sftpd::limits
