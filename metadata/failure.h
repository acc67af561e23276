#pragma once

#include <string>

#include "metadata/error.h"

namespace metadata {

/// Why a statement failed, as Database sees it.
struct Failure {
  enum class Kind {
    lost,      ///< the connection is gone, or of no use any more: repeat on a new one
    conflict,  ///< rolled back because of another transaction: repeat
    refused,   ///< repeating would not help
  };
  Kind kind = Kind::refused;
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

/// What the exception being handled (libpqxx's, or any) means. `connection_is_open`: as seen after
/// it.
Failure current_failure(bool connection_is_open);

/// libpq's message about a failed attempt to connect, without the connection string that it quotes
/// where it could not read it.
std::string without_secrets(const std::string& connect_message);

/// Whether repeating a failed attempt to connect is pointless: a wrong password, no such database.
bool is_hopeless(const std::string& connect_message);

}  // namespace metadata
