#include "sftpd/auth/login_throttle.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace sftpd::auth {
namespace {

std::string network_key(std::string_view address) { return "n" + network_of(address); }
std::string user_key(std::string_view user) { return "u" + std::string(user); }
std::string known_key(std::string_view address, std::string_view user) {
  return "k" + network_of(address) + " " + std::string(user);
}

/// Failures above the limit would only make the wait longer without end.
void add_failure(double& failures, double limit) { failures = std::min(failures + 1, limit + 1); }

}  // namespace

std::string network_of(std::string_view address) {
  const std::string text(address.substr(0, INET6_ADDRSTRLEN));
  in6_addr six{};
  if (inet_pton(AF_INET6, text.c_str(), &six) != 1) return text;
  char printed[INET6_ADDRSTRLEN] = {};
  if (IN6_IS_ADDR_V4MAPPED(&six)) {
    inet_ntop(AF_INET, &six.s6_addr[12], printed, sizeof printed);
    return printed;
  }
  std::memset(&six.s6_addr[8], 0, 8);
  inet_ntop(AF_INET6, &six, printed, sizeof printed);
  return std::string(printed) + "/64";
}

bool LoginThrottle::allows(std::string_view address, std::string_view user, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  if (Entry* known = find(known_key(address, user))) {
    decay(*known, options_.network_refill, now);
    return known->failures < options_.network_failures;
  }
  if (Entry* network = find(network_key(address))) {
    decay(*network, options_.network_refill, now);
    if (network->failures >= options_.network_failures) return false;
  }
  Entry* person = find(user_key(user));
  if (person == nullptr) return true;
  decay(*person, options_.user_refill, now);
  return person->failures < options_.user_failures;
}

void LoginThrottle::failed(std::string_view address, std::string_view user, Clock::time_point now) {
  std::lock_guard lock(mutex_);
  if (Entry* known = find(known_key(address, user))) {
    decay(*known, options_.network_refill, now);
    add_failure(known->failures, options_.network_failures);
    return;
  }
  Entry& network = find_or_add(network_key(address), now);
  decay(network, options_.network_refill, now);
  add_failure(network.failures, options_.network_failures);
  Entry& person = find_or_add(user_key(user), now);
  decay(person, options_.user_refill, now);
  add_failure(person.failures, options_.user_failures);
}

void LoginThrottle::succeeded(std::string_view address, std::string_view user,
                              Clock::time_point now) {
  std::lock_guard lock(mutex_);
  Entry& known = find_or_add(known_key(address, user), now);
  known.failures = 0;
  known.updated = now;
}

std::size_t LoginThrottle::entries() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

LoginThrottle::Entry* LoginThrottle::find(const std::string& key) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return &entries_.front();
}

LoginThrottle::Entry& LoginThrottle::find_or_add(const std::string& key, Clock::time_point now) {
  if (Entry* entry = find(key)) return *entry;
  if (entries_.size() >= options_.entries_max && !entries_.empty()) {
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
  entries_.push_front({key, 0, now});
  by_key_[key] = entries_.begin();
  return entries_.front();
}

void LoginThrottle::decay(Entry& entry, std::chrono::seconds refill, Clock::time_point now) {
  const std::chrono::duration<double> passed = now - entry.updated;
  const double refill_seconds = std::max(1.0, static_cast<double>(refill.count()));
  entry.failures = std::max(0.0, entry.failures - passed.count() / refill_seconds);
  entry.updated = now;
}

}  // namespace sftpd::auth
