#include "metadata/failure.h"

#include <pqxx/pqxx>
#include <string_view>

namespace metadata {
namespace {

struct Meaning {
  std::string_view sqlstate;  ///< all of it, or its class (the first two)
  Failure::Kind kind;
  ErrorCode code;
};

using Kind = Failure::Kind;

/// PostgreSQL's error codes (appendix A of its manual) and those that our own functions raise.
constexpr Meaning meanings[] = {
    {"SB001", Kind::refused, ErrorCode::not_found},
    {"SB002", Kind::refused, ErrorCode::already_exists},
    {"SB003", Kind::refused, ErrorCode::not_empty},
    {"SB004", Kind::refused, ErrorCode::not_a_directory},
    {"SB005", Kind::refused, ErrorCode::would_loop},
    {"SB006", Kind::refused, ErrorCode::quota_exceeded},
    {"SB007", Kind::refused, ErrorCode::lease_lost},
    {"SB008", Kind::refused, ErrorCode::invalid},
    {"23505", Kind::refused, ErrorCode::already_exists},
    {"23503", Kind::refused, ErrorCode::not_found},       // a foreign key: what it names is gone
    {"23514", Kind::refused, ErrorCode::invalid},         // a CHECK
    {"22003", Kind::refused, ErrorCode::quota_exceeded},  // a counter of bytes is full
    {"22", Kind::refused, ErrorCode::invalid},            // data: not UTF-8, out of range ...
    {"54", Kind::refused, ErrorCode::invalid},            // an index row too long ...
    {"40", Kind::conflict, ErrorCode::conflict},          // serialization failure, deadlock
    {"55P03", Kind::conflict, ErrorCode::conflict},       // lock not available
    {"57014", Kind::refused, ErrorCode::unavailable},     // statement timeout
    {"57", Kind::lost, ErrorCode::unavailable},           // shutting down, starting, terminated
    {"08", Kind::lost, ErrorCode::unavailable},
    {"25006", Kind::lost, ErrorCode::unavailable},  // a standby now: the primary moved
    {"26000", Kind::lost, ErrorCode::unavailable},  // a pooler gave us another session
    {"53", Kind::refused, ErrorCode::unavailable},  // disk full, out of memory
    {"58", Kind::refused, ErrorCode::unavailable},  // the server's I/O
};

Failure refused_by(const std::string& sqlstate, const std::string& message) {
  for (const Meaning& meaning : meanings) {
    if (sqlstate.starts_with(meaning.sqlstate)) return {meaning.kind, meaning.code, message};
  }
  return {Kind::refused, ErrorCode::internal, message + " (SQLSTATE " + sqlstate + ")"};
}

/// PostgreSQL appends DETAIL lines, which may hold values: the log gets the first line only.
std::string first_line(const char* text) {
  const std::string_view view(text);
  return std::string(view.substr(0, view.find('\n')));
}

}  // namespace

Failure current_failure(bool connection_is_open) {
  try {
    throw;
  } catch (const Error& error) {
    return {Kind::refused, error.code(), error.what()};
  } catch (const pqxx::transaction_rollback& error) {
    return {Kind::conflict, ErrorCode::conflict, first_line(error.what())};
  } catch (const pqxx::broken_connection& error) {
    return {Kind::lost, ErrorCode::unavailable, first_line(error.what())};
  } catch (const pqxx::sql_error& error) {
    if (!connection_is_open || error.sqlstate().empty()) {
      return {Kind::lost, ErrorCode::unavailable, first_line(error.what())};
    }
    return refused_by(error.sqlstate(), first_line(error.what()));
  } catch (const std::exception& error) {
    if (!connection_is_open) return {Kind::lost, ErrorCode::unavailable, first_line(error.what())};
    return {Kind::refused, ErrorCode::internal, first_line(error.what())};
  }
}

std::string without_secrets(const std::string& connect_message) {
  for (const char* hint : {"connection info string", "URI", "invalid percent-encoded"}) {
    if (connect_message.find(hint) != std::string::npos) {
      return "the connection string cannot be read (libpq: invalid connection option)";
    }
  }
  return connect_message;
}

bool is_hopeless(const std::string& connect_message) {
  for (const char* hint :
       {"authentication failed", "does not exist", "no pg_hba.conf entry", "no password supplied",
        "is not permitted to log in", "invalid connection option", "invalid port number",
        "root certificate", "does not support SSL"}) {
    if (connect_message.find(hint) != std::string::npos) return true;
  }
  return false;
}

}  // namespace metadata
