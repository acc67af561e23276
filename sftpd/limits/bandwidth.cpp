#include "sftpd/limits/bandwidth.h"

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <stop_token>
#include <thread>
#include <unordered_map>
#include <utility>

#include "sftpd/limits/schedule.h"

namespace sftpd::limits {
namespace {

using Clock = TokenBucket::Clock;

Rates rates_of(const metadata::TransferRates& own, const Rates& usual) {
  return {own.upload_max.value_or(usual.upload), own.download_max.value_or(usual.download)};
}

struct GatePair {
  GatePair(const Rates& rates, Clock::duration burst, Clock::time_point now)
      : upload(rates.upload, burst, now), download(rates.download, burst, now) {}

  void change(const Rates& rates, Clock::duration burst, Clock::time_point now) {
    upload.change(rates.upload, burst, now);
    download.change(rates.download, burst, now);
  }
  Gate& of(Direction direction) { return direction == Direction::upload ? upload : download; }

  Gate upload;
  Gate download;
};

}  // namespace

class UserTraffic {
 public:
  UserTraffic(metadata::UserId user, const metadata::TransferRates& own, const Rates& rates,
              Clock::duration burst)
      : id(user), own_rates(own), gates(rates, burst, Clock::now()) {}

  const metadata::UserId id;
  metadata::TransferRates own_rates;  ///< under Impl's lock, as gates but for limited()
  GatePair gates;
};

class Bandwidth::Impl {
 public:
  explicit Impl(const BandwidthOptions& options)
      : process(options.process, options.burst, Clock::now()),
        options_(options),
        thread_([this](const std::stop_token& stop) { serve_until_stopped(stop); }) {}

  void change(const BandwidthOptions& options) {
    std::lock_guard lock(mutex_);
    options_ = options;
    process.change(options.process, options.burst, Clock::now());
    for (const auto& [id, weak] : users_) {
      if (const UserTrafficPtr user = weak.lock()) apply_rates(*user);
    }
    serve();
  }

  UserTrafficPtr enter(metadata::UserId id, const metadata::TransferRates& own) {
    std::lock_guard lock(mutex_);
    auto& weak = users_[id.value];
    UserTrafficPtr user = weak.lock();
    if (!user) {
      user = std::make_shared<UserTraffic>(id, own, rates_of(own, options_.user), options_.burst);
      weak = user;
    } else {
      set_rates(*user, own);
    }
    return user;
  }

  std::vector<metadata::UserId> users() {
    std::lock_guard lock(mutex_);
    std::erase_if(users_, [](const auto& entry) { return entry.second.expired(); });
    std::vector<metadata::UserId> all;
    all.reserve(users_.size());
    for (const auto& [id, user] : users_) all.push_back({id});
    return all;
  }

  bool change_user(metadata::UserId id, const metadata::TransferRates& own) {
    std::lock_guard lock(mutex_);
    const auto at = users_.find(id.value);
    const UserTrafficPtr user = at == users_.end() ? nullptr : at->second.lock();
    return user && set_rates(*user, own);
  }

  std::size_t allow(Lane& lane, Direction direction, std::size_t wanted) {
    std::lock_guard lock(mutex_);
    const bool waited = lane.waits_at != nullptr;
    const std::size_t allowed = schedule_.allow(lane, wanted, Clock::now());
    if (!waited && lane.waits_at != nullptr) {
      (direction == Direction::upload ? waits_.uploads : waits_.downloads) += 1;
      ask_to_serve();
    }
    return allowed;
  }

  Waits waits() const {
    std::lock_guard lock(mutex_);
    return waits_;
  }

  void moved(Lane& lane, std::size_t bytes) {
    std::lock_guard lock(mutex_);
    schedule_.moved(lane, bytes, Clock::now());
  }

  void leave(Lane& lane) {
    std::lock_guard lock(mutex_);
    schedule_.leave(lane, Clock::now());
  }

  GatePair process;

 private:
  bool set_rates(UserTraffic& user, const metadata::TransferRates& own) {
    if (user.own_rates == own) return false;
    user.own_rates = own;
    apply_rates(user);
    serve();
    return true;
  }

  void apply_rates(UserTraffic& user) {
    user.gates.change(rates_of(user.own_rates, options_.user), options_.burst, Clock::now());
  }

  void serve() {
    schedule_.serve(Clock::now());
    ask_to_serve();
  }

  void ask_to_serve() {
    changed_ = true;
    wake_.notify_one();
  }

  void serve_until_stopped(const std::stop_token& stop) {
    // Signals belong to the main thread.
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, nullptr);
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      schedule_.serve(Clock::now());
      changed_ = false;
      const auto next = schedule_.next(Clock::now());
      if (next) {
        wake_.wait_for(lock, stop, *next, [this] { return changed_; });
      } else {
        wake_.wait(lock, stop, [this] { return changed_; });
      }
    }
  }

  mutable std::mutex mutex_;  // of what follows, and of all gates and lanes
  BandwidthOptions options_;
  Schedule schedule_;
  Waits waits_;
  std::unordered_map<std::int64_t, std::weak_ptr<UserTraffic>> users_;
  bool changed_ = false;  ///< since the thread looked
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses all of the above
};

Bandwidth::Bandwidth(const BandwidthOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Bandwidth::~Bandwidth() = default;

void Bandwidth::change(const BandwidthOptions& options) { impl_->change(options); }

UserTrafficPtr Bandwidth::enter(metadata::UserId user, const metadata::TransferRates& rates) {
  return impl_->enter(user, rates);
}

std::vector<metadata::UserId> Bandwidth::users() { return impl_->users(); }

Bandwidth::Waits Bandwidth::waits() const { return impl_->waits(); }

bool Bandwidth::change_user(metadata::UserId user, const metadata::TransferRates& rates) {
  return impl_->change_user(user, rates);
}

class Flow::Lane : public limits::Lane {
 public:
  using limits::Lane::Lane;
  /// Without the lock: a limit that changes this very moment counts from the next bytes on.
  bool limited() const { return user.limited() || process.limited(); }
};

Flow::Flow(Bandwidth& bandwidth, UserTrafficPtr user, std::uint64_t connection,
           std::function<void()> wake)
    : bandwidth_(*bandwidth.impl_), user_(std::move(user)) {
  for (const Direction direction : {Direction::upload, Direction::download}) {
    auto& lane = lanes_[static_cast<std::size_t>(direction)];
    lane = std::make_unique<Lane>(user_->gates.of(direction), bandwidth_.process.of(direction),
                                  user_->id.value, static_cast<std::int64_t>(connection),
                                  Clock::now());
    lane->wake = wake;
  }
}

Flow::~Flow() {
  for (const auto& lane : lanes_) bandwidth_.leave(*lane);
}

std::size_t Flow::allow(Direction direction, std::size_t wanted) {
  Lane& lane = *lanes_[static_cast<std::size_t>(direction)];
  if (!lane.limited() || wanted == 0) return wanted;
  return bandwidth_.allow(lane, direction, wanted);
}

void Flow::moved(Direction direction, std::size_t bytes) {
  Lane& lane = *lanes_[static_cast<std::size_t>(direction)];
  if (lane.limited() && bytes > 0) bandwidth_.moved(lane, bytes);
}

bool Flow::waits() const {
  return lanes_[0]->waits_at != nullptr || lanes_[1]->waits_at != nullptr;
}

}  // namespace sftpd::limits
