#include "metadata/database.h"

#include <algorithm>
#include <random>
#include <utility>

#include "metadata/database_pool.h"
#include "metadata/names/node_cache.h"
#include "metadata/names/server_presence.h"
#include "metadata/transaction_pqxx.h"

namespace metadata {
namespace {

using std::chrono::steady_clock;

constexpr int conflicts_max = 20;

/// Whether and when to try again. Conflicts: after a random pause, so that the others finish; the
/// more often we met, the longer. Lost connections: at once, then with pauses until `give_up`.
class Retries {
 public:
  Retries(const Database& database, steady_clock::time_point give_up)
      : database_(database), give_up_(give_up) {}

  void wait(const Failure& failure) {
    if (failure.kind == Failure::Kind::conflict) {
      if (++conflicts_ >= conflicts_max) throw Error(ErrorCode::conflict, failure.message);
      static thread_local std::minstd_rand random{std::random_device{}()};
      std::uniform_int_distribution<int> range(0, std::min(1 << conflicts_, 200));
      pause(range(random));
    } else {
      if (steady_clock::now() >= give_up_) throw Error(ErrorCode::unavailable, failure.message);
      pause(std::min(50 * losses_++, 500));
    }
  }

 private:
  void pause(int milliseconds) { database_.pause(std::chrono::milliseconds(milliseconds)); }

  const Database& database_;
  const steady_clock::time_point give_up_;
  int conflicts_ = 0;
  int losses_ = 0;
};

const char* begin_text(Durability durability) {
  return durability == Durability::now
             ? "BEGIN ISOLATION LEVEL READ COMMITTED"
             : "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = off";
}

Failure hung_up() { return {Failure::Kind::lost, ErrorCode::unavailable, "the server hung up"}; }

/// COMMIT. A connection that is found dead before it is sent cannot have committed; one that
/// breaks later may have.
void commit(Transaction::Inner& inner) {
  if (inner.session.peer_is_gone()) {
    inner.failure = hung_up();
    throw Error(inner.failure->code, inner.failure->message);
  }
  try {
    inner.script("COMMIT");
  } catch (const Error&) {
    if (inner.failure->kind != Failure::Kind::lost) throw;
    inner.failure->code = ErrorCode::in_doubt;
    throw;
  }
}

/// After a failure, if the connection still lives; false if it does not.
bool roll_back(Transaction::Inner& inner) {
  if (inner.failure && inner.failure->kind == Failure::Kind::lost) return false;
  inner.failure.reset();
  try {
    inner.script("ROLLBACK");
    return true;
  } catch (const Error&) {
    return false;
  }
}

/// Whatever became of a transaction, what it touched is not known any more when it has ended.
class ForgetTouched {
 public:
  ForgetTouched(NodeCache& cache, const Transaction::Inner& inner) : cache_(cache), inner_(inner) {}
  ~ForgetTouched() { cache_.forget(inner_.touched); }
  ForgetTouched(const ForgetTouched&) = delete;
  ForgetTouched& operator=(const ForgetTouched&) = delete;

 private:
  NodeCache& cache_;
  const Transaction::Inner& inner_;
};

/// One attempt. Returns a failure that may be worth another; throws any other.
std::optional<Failure> attempt(Session& session, const std::function<void(Transaction&)>& work,
                               Durability durability, bool& usable, NodeCache& cache) {
  Transaction::Inner inner(session);
  const ForgetTouched forget(cache, inner);
  Transaction transaction(inner);
  std::exception_ptr thrown;
  try {
    inner.script(begin_text(durability));
    work(transaction);
    // `work` may have caught what made the server give the transaction up.
    if (inner.failure) throw Error(inner.failure->code, inner.failure->message);
    commit(inner);
    inner.work.commit();
    return std::nullopt;
  } catch (...) {
    thrown = std::current_exception();
  }
  const auto failure = inner.failure;
  usable = roll_back(inner);
  if (failure && failure->code == ErrorCode::in_doubt) cache.doubt(session.backend());
  if (!failure || failure->kind == Failure::Kind::refused) std::rethrow_exception(thrown);
  return failure;
}

/// The same without BEGIN and COMMIT.
std::optional<Failure> attempt_single(Session& session,
                                      const std::function<void(Transaction&)>& work,
                                      NodeCache& cache) {
  Transaction::Inner inner(session);
  const ForgetTouched forget(cache, inner);
  Transaction transaction(inner);
  try {
    work(transaction);
    inner.work.commit();
    return std::nullopt;
  } catch (...) {
    if (!inner.failure || inner.failure->kind == Failure::Kind::refused) throw;
  }
  return inner.failure;
}

}  // namespace

Database::Database(Options options, Observer* observer)
    : pool_(std::make_unique<Pool>(std::move(options), observer)),
      node_cache_(std::make_unique<NodeCache>()) {}

Database::~Database() = default;

Database::Load Database::load() const { return pool_->load(); }

void Database::pause(std::chrono::milliseconds duration) const {
  pause_unless(pool_->options().give_up, duration);
}

std::uint64_t Database::connections_made() const { return pool_->connections_made(); }

void Database::begin_serving() {
  pool_->skip_lost_ids();
  ServerPresence::Options options;
  options.url = pool_->options().url;
  options.server = ServerId::random();
  pool_->begin_serving(options.server);
  presence_ = std::make_unique<ServerPresence>(std::move(options), *node_cache_, pool_->observer());
}

void Database::run(const std::function<void(Transaction&)>& work, Durability durability,
                   InDoubt in_doubt) {
  const auto give_up = steady_clock::now() + pool_->options().outage_max;
  Retries retries(*this, give_up);
  while (true) {
    std::optional<Failure> failure;
    {
      auto lease = pool_->acquire(give_up);
      bool usable = true;
      try {
        failure = attempt(lease.session(), work, durability, usable, *node_cache_);
      } catch (...) {
        if (!usable) lease.lose("the connection broke in a transaction");
        throw;
      }
      if (!failure) return;
      if (!usable) lease.lose(failure->message);
    }
    if (failure->code == ErrorCode::in_doubt && in_doubt == InDoubt::report) {
      throw Error(ErrorCode::in_doubt, "the connection broke during COMMIT: " + failure->message);
    }
    retries.wait(*failure);
    pool_->observer().transaction_retried(failure->message);
  }
}

void Database::run_single(const std::function<void(Transaction&)>& work, Effects effects) {
  const auto give_up = steady_clock::now() + pool_->options().outage_max;
  Retries retries(*this, give_up);
  while (true) {
    std::optional<Failure> failure;
    {
      auto lease = pool_->acquire(give_up);
      const bool sent = effects == Effects::none || !lease.session().peer_is_gone();
      failure = sent ? attempt_single(lease.session(), work, *node_cache_) : hung_up();
      if (!failure) return;
      if (failure->kind == Failure::Kind::lost) {
        if (effects == Effects::writes && sent) node_cache_->doubt(lease.session().backend());
        lease.lose(failure->message);
        if (effects == Effects::writes && sent) {
          throw Error(ErrorCode::in_doubt,
                      "the connection broke during a statement: " + failure->message);
        }
      }
    }
    retries.wait(*failure);
    pool_->observer().transaction_retried(failure->message);
  }
}

}  // namespace metadata
