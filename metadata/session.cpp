#include "metadata/session.h"

#include <poll.h>

#include <array>
#include <utility>

#include "metadata/names/server_locks.h"

namespace metadata {
namespace {

// A dead server or a vanished network is noticed within half a minute, also while we wait for it.
constexpr std::array<std::pair<const char*, const char*>, 7> defaults{
    {{"fallback_application_name", "shoebox"},
     {"connect_timeout", "5"},
     {"keepalives", "1"},
     {"keepalives_idle", "15"},
     {"keepalives_interval", "5"},
     {"keepalives_count", "3"},
     {"tcp_user_timeout", "30000"}}};

// Bounded statements; no just-in-time compilation, which only delays point queries; nothing on
// standard error. No sequential scans where an index is there: a plan made while a table is small
// stays for the session, however many rows come. A pooled connection may come with other defaults.
constexpr char session_settings[] =
    "SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '5min';"
    "SET jit = off; SET enable_seqscan = off; SET client_min_messages = error;"
    "SET client_encoding = 'UTF8'; SET bytea_output = 'hex'; SELECT pg_backend_pid()";

std::string joined(char separator, const char* before_last) {
  std::string text;
  for (const auto& [key, value] : defaults) {
    text += std::string(key) + '=' + value + separator;
  }
  text.pop_back();
  return text + before_last;
}

}  // namespace

std::string with_defaults(const std::string& url) {
  // libpq lets a later setting win over an earlier one, in both forms.
  if (url.starts_with("postgres://") || url.starts_with("postgresql://")) {
    const auto question = url.find('?');
    if (question == std::string::npos) return url + '?' + joined('&', "");
    return url.substr(0, question + 1) + joined('&', "&") + url.substr(question + 1);
  }
  return joined(' ', " ") + url;
}

Session::Session(const std::string& url, std::optional<ServerId> server)
    : connection_(with_defaults(url)), silence_(connection_), server_(server) {
  pqxx::nontransaction work(connection_);
  backend_ = work.exec(session_settings)[0][0].as<std::int64_t>();
  if (server_) work.exec(enter_script(*server_));
  work.commit();
}

bool Session::peer_is_gone() const {
  if (!connection_.is_open()) return true;
  pollfd descriptor{connection_.sock(), POLLRDHUP, 0};
  return poll(&descriptor, 1, 0) > 0 &&
         (descriptor.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

void Session::prepare(const Statement& statement) {
  if (!prepared_.insert(statement.name).second) return;
  try {
    connection_.prepare(statement.name, statement.sql);
  } catch (...) {
    prepared_.erase(statement.name);
    throw;
  }
}

}  // namespace metadata
