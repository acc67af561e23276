#include "metadata/database_pool.h"

#include <algorithm>
#include <utility>

#include "metadata/failure.h"

namespace metadata {

void pause_unless(const std::stop_token& give_up, std::chrono::milliseconds duration) {
  std::mutex mutex;
  std::condition_variable_any requested;
  std::unique_lock lock(mutex);
  requested.wait_for(lock, give_up, duration, [] { return false; });
  if (give_up.stop_requested()) throw Error(ErrorCode::unavailable, "the program stops");
}

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

/// Durable, or a second crash would take it back. One at a time ('SHBX' in ASCII, and which of our
/// locks it is), so that none undoes another's. A crash takes back what was given out in seconds.
void skip_ids(Session& session) {
  pqxx::nontransaction work(session.connection());
  work.exec(
      "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_advisory_xact_lock(1397244504, 3);"
      "SELECT setval(ids, nextval(ids) + 1000000)"
      " FROM CAST(pg_get_serial_sequence('nodes', 'id') AS regclass) ids; COMMIT");
  work.commit();
}

}  // namespace

Database::Pool::Pool(Options options, Observer* observer)
    : options_(std::move(options)), observer_(observer) {}

Database::Pool::Lease::Lease(Pool& pool, std::unique_ptr<Session> session)
    : pool_(&pool), session_(std::move(session)) {}

Database::Pool::Lease::~Lease() {
  if (session_) pool_->give_back(std::move(session_));
}

void Database::Pool::Lease::lose(const std::string& reason) {
  if (!session_) return;
  session_.reset();
  pool_->give_back(nullptr);
  pool_->observer().database_lost(reason);
}

Database::Pool::Lease Database::Pool::acquire(steady_clock::time_point give_up) {
  take_slot();
  try {
    while (auto session = take_idle()) {
      if (!session->peer_is_gone()) return Lease(*this, std::move(session));
    }
    return Lease(*this, connect(give_up));
  } catch (...) {
    give_back(nullptr);
    throw;
  }
}

void Database::Pool::take_slot() {
  std::unique_lock lock(mutex_);
  const auto has_room = [this] { return in_use_ < std::max(1, options_.connections_max); };
  ++waiting_;
  const bool got_one = freed_.wait_for(lock, options_.acquire_timeout, has_room);
  --waiting_;
  if (!got_one) {
    throw Error(ErrorCode::unavailable, "all database connections are taken");
  }
  ++in_use_;
}

Database::Load Database::Pool::load() const {
  const std::lock_guard lock(mutex_);
  return {.in_use = in_use_,
          .waiting = waiting_,
          .connections_max = std::max(1, options_.connections_max)};
}

void Database::Pool::begin_serving(ServerId server) {
  const std::lock_guard lock(mutex_);
  server_ = server;
  idle_.clear();
}

std::optional<ServerId> Database::Pool::server() const {
  const std::lock_guard lock(mutex_);
  return server_;
}

std::unique_ptr<Session> Database::Pool::take_idle() {
  const std::lock_guard lock(mutex_);
  if (idle_.empty()) return nullptr;
  auto session = std::move(idle_.back());
  idle_.pop_back();
  return session;
}

std::unique_ptr<Session> Database::Pool::connect(steady_clock::time_point give_up) {
  milliseconds pause{20};
  while (true) {
    Failure failure;
    try {
      auto session = std::make_unique<Session>(options_.url, server());
      ++connections_made_;
      if (skips_lost_ids_) skip_ids(*session);
      observer().database_connected();
      return session;
    } catch (...) {
      failure = current_failure(false);
      failure.message = without_secrets(failure.message);
    }
    if (is_hopeless(failure.message) || steady_clock::now() + pause >= give_up) {
      throw Error(ErrorCode::unavailable, "cannot connect to the database: " + failure.message);
    }
    pause_unless(options_.give_up, pause);
    pause = std::min(pause * 2, milliseconds{1000});
  }
}

void Database::Pool::skip_lost_ids() {
  skips_lost_ids_ = true;
  auto lease = acquire(steady_clock::now() + options_.outage_max);
  try {
    skip_ids(lease.session());
  } catch (...) {
    const Failure failure = current_failure(false);
    lease.lose(failure.message);
    throw Error(ErrorCode::unavailable, failure.message);
  }
}

void Database::Pool::give_back(std::unique_ptr<Session> session) {
  {
    const std::lock_guard lock(mutex_);
    --in_use_;
    const bool reusable = session && session->is_open() && session->server() == server_;
    if (reusable) idle_.push_back(std::move(session));
  }
  freed_.notify_one();
}

}  // namespace metadata
