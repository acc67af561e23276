#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace sftpd::auth {

/// Slows guessing down: each network and each user has a number of failures free, refilled over
/// time; who has used them up is refused before any expensive work.
///
/// A network is an IPv4 address or an IPv6 /64. A user who has logged in from a network before has
/// an allowance of their own there: neither guesses from elsewhere nor a neighbour's phone with a
/// wrong password lock them out. Safe from any thread. Memory is bounded: what was not touched for
/// longest is forgotten first.
class LoginThrottle {
 public:
  using Clock = std::chrono::steady_clock;
  struct Options {
    double network_failures = 20;             ///< in a row
    std::chrono::seconds network_refill{15};  ///< for one more
    double user_failures = 30;
    std::chrono::seconds user_refill{30};
    std::size_t entries_max = 65'536;
  };

  explicit LoginThrottle(Options options) : options_(options) {}

  /// Whether a try may be made now. `address` is numeric, without a port.
  bool allows(std::string_view address, std::string_view user, Clock::time_point now);
  void failed(std::string_view address, std::string_view user, Clock::time_point now);
  void succeeded(std::string_view address, std::string_view user, Clock::time_point now);

  std::size_t entries() const;

 private:
  struct Entry {
    std::string key;
    double failures = 0;
    Clock::time_point updated;
  };
  Entry* find(const std::string& key);
  Entry& find_or_add(const std::string& key, Clock::time_point now);
  void decay(Entry& entry, std::chrono::seconds refill, Clock::time_point now);

  const Options options_;
  mutable std::mutex mutex_;
  std::list<Entry> entries_;  ///< the last touched first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
};

/// The network of a numeric address: an IPv4 address itself, an IPv6 address's /64 (IPv4 mapped
/// into IPv6 counts as IPv4); anything else is its own network.
std::string network_of(std::string_view address);

}  // namespace sftpd::auth
