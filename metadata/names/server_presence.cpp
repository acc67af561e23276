#include "metadata/names/server_presence.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <system_error>
#include <utility>

#include "metadata/names/node_cache.h"
#include "metadata/names/server_locks.h"
#include "metadata/session.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr Statement lock_session{"servers_show_session",
                                 "SELECT pg_advisory_lock_shared(" SESSIONS_LOCK_CLASS ", $1)"};
constexpr Statement lock_shared{"servers_join", "SELECT pg_advisory_lock_shared(" SERVERS_LOCK ")"};
constexpr Statement lock_alone{"servers_be_alone", "SELECT pg_try_advisory_lock(" SERVERS_LOCK ")"};
constexpr Statement unlock_alone{"servers_step_down",
                                 "SELECT pg_advisory_unlock(" SERVERS_LOCK ")"};
constexpr Statement find_others{"servers_others",
                                "SELECT EXISTS (SELECT FROM pg_locks WHERE " IS_SERVERS_LOCK
                                "   AND NOT granted)"
                                " OR EXISTS (SELECT FROM pg_locks WHERE " IS_SESSIONS_LOCK
                                "   AND objid <> $1::oid)"};
constexpr Statement end_connection{"servers_end_connection",
                                   "SELECT pg_terminate_backend(pid) FROM pg_locks"
                                   " WHERE " IS_SERVERS_LOCK
                                   " AND granted AND mode = 'ExclusiveLock'"};
constexpr Statement select_living{
    "servers_living_backends", "SELECT pid FROM pg_stat_activity WHERE pid = ANY ($1::integer[])"};

template <class... Arguments>
pqxx::result execute(Session& session, const Statement& statement, const Arguments&... arguments) {
  Transaction::Inner inner(session);
  return inner.run(statement, arguments...);
}

template <class... Arguments>
bool first_bool(Session& session, const Statement& statement, const Arguments&... arguments) {
  return execute(session, statement, arguments...)[0][0].template as<bool>();
}

/// False if it took longer than `patience`.
bool lock_within(Session& session, milliseconds patience) {
  Transaction::Inner inner(session);
  inner.script("SET lock_timeout = " + std::to_string(patience.count()));
  try {
    inner.run(lock_shared);
    return true;
  } catch (const Error&) {
    if (!session.is_open()) throw;
    return false;
  }
}

}  // namespace

ServerPresence::ServerPresence(Options options, NodeCache& cache, Observer& observer)
    : options_(std::move(options)),
      cache_(cache),
      observer_(observer),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  try {
    join(options_.patience);
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  } catch (...) {
    ::close(wake_);
    throw;
  }
}

ServerPresence::~ServerPresence() {
  thread_.request_stop();
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
  thread_.join();
  leave();
  ::close(wake_);
}

void ServerPresence::join(milliseconds patience) {
  try {
    auto session = std::make_unique<Session>(options_.url);
    execute(*session, lock_session, options_.server.value);
    if (!lock_within(*session, patience)) {
      // It hangs. Once its connection is gone, it trusts its cache for a moment still.
      execute(*session, end_connection);
      std::this_thread::sleep_for(options_.trust);
      if (!lock_within(*session, patience)) {
        throw Error(ErrorCode::unavailable, "another server holds the lock of all servers");
      }
    }
    session_ = std::move(session);
    joined_ = steady_clock::now();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& failure) {
    throw Error(ErrorCode::unavailable, failure.what());
  }
}

void ServerPresence::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    try {
      if (!session_) join(options_.patience);
      beat();
    } catch (const std::exception&) {
      leave();  // The pool's connections report what the database's trouble is.
    }
    wait();
  }
}

void ServerPresence::beat() {
  const auto sent = steady_clock::now();
  const bool others = others_are_there();
  settle_doubts();
  if (others && alone_) return step_down();
  const bool was_alone = alone_;
  if (!alone_ && !others && sent - joined_ >= options_.settle) begin_alone();
  if (!alone_) return;
  cache_.trust_until(sent + options_.trust);
  if (!was_alone) observer_.serving_alone(true);
}

void ServerPresence::begin_alone() {
  if (!first_bool(*session_, lock_alone)) return;
  // A session that came before the lock did not wait for it; one that comes now does.
  alone_ = !others_are_there();
  if (!alone_) execute(*session_, unlock_alone);
}

bool ServerPresence::others_are_there() {
  return first_bool(*session_, find_others, options_.server.value);
}

/// Of a process of the database that is gone, all that it was going to commit is there to be read.
void ServerPresence::settle_doubts() {
  auto doubts = cache_.doubts();
  if (doubts.empty()) return;
  for (const auto& row : execute(*session_, select_living, array_of(doubts))) {
    std::erase(doubts, row[0].as<std::int64_t>());
  }
  for (const auto gone : doubts) cache_.settle(gone);
}

void ServerPresence::step_down() {
  cache_.distrust();
  alone_ = false;
  joined_ = steady_clock::now();
  execute(*session_, unlock_alone);
  observer_.serving_alone(false);
}

void ServerPresence::leave() noexcept {
  cache_.distrust();
  session_.reset();
  if (std::exchange(alone_, false)) observer_.serving_alone(false);
}

/// Until the next heartbeat, or until something happens.
void ServerPresence::wait() {
  std::array<pollfd, 2> descriptors{{{wake_, POLLIN, 0}, {-1, POLLRDHUP, 0}}};
  if (session_) descriptors[1].fd = session_->connection().sock();
  (void)::poll(descriptors.data(), descriptors.size(),
               static_cast<int>(options_.heartbeat.count()));
}

}  // namespace metadata
