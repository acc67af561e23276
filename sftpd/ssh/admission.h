#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace sftpd::ssh {

/// How many connections there may be: in all, before login, and before login from one network. Safe
/// from any thread; outlives its tickets.
class Admission {
 public:
  struct Limits {
    int connections_max = 0;
    int unauthenticated_max = 0;
    int unauthenticated_per_network_max = 0;
  };
  explicit Admission(Limits limits) : limits_(limits) {}

  /// A place among the connections, given back with the ticket.
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept;
    Ticket(const Ticket&) = delete;
    Ticket& operator=(Ticket&&) = delete;
    ~Ticket();
    /// No longer counts as one before its login.
    void logged_in();

   private:
    friend class Admission;
    Ticket(Admission& admission, std::string network);
    Admission* admission_;
    std::string network_;
    bool unauthenticated_ = true;
  };

  /// `address` is numeric. Nothing if a limit is reached.
  std::optional<Ticket> admit(const std::string& address);
  int connections() const;

 private:
  void leave_unauthenticated(const std::string& network);

  const Limits limits_;
  mutable std::mutex mutex_;
  int connections_ = 0;
  int unauthenticated_ = 0;
  std::unordered_map<std::string, int> unauthenticated_by_network_;
};

}  // namespace sftpd::ssh
