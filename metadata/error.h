#pragma once

#include <stdexcept>
#include <string>

namespace metadata {

/// What went wrong, in the caller's terms.
enum class ErrorCode {
  not_found,       ///< the row asked for is not there (where that is a failure, not an answer)
  already_exists,  ///< the name is taken
  not_empty,       ///< a directory still has entries
  not_a_directory,
  would_loop,      ///< a directory would become its own descendant
  quota_exceeded,  ///< the account's bytes would go above its quota
  lease_lost,      ///< an object to be published is no longer `staging`: the collector has it
  conflict,        ///< another transaction was in the way, repeatedly
  in_doubt,        ///< the connection broke during COMMIT: it may have happened
  unavailable,     ///< the database does not answer
  invalid,         ///< the arguments cannot be stored (a name that is not UTF-8, too long ...)
  internal,        ///< SQL that should not fail failed: our bug
};

/// Every failure of metadata/. The message is for the log; it never holds a password or its hash.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace metadata
