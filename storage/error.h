#pragma once

#include <stdexcept>
#include <string>

namespace storage {

/// What went wrong, in the terms of whoever called the store.
enum class ErrorCode {
  no_such_key,     ///< the object is not there
  no_such_upload,  ///< the multipart upload ended, was aborted, or was reaped by the provider
  corrupted,       ///< bytes arrived that are not the bytes that were stored
  access_denied,   ///< wrong credentials, or they lack a right
  unavailable,     ///< the store did not answer properly although it was asked repeatedly
  no_space,        ///< the store is full
  rejected,        ///< the store refuses this request and will refuse it again
};

/// Every failure of storage/. The message is for the log: it names the operation and the key,
/// never a secret, a signature or contents.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace storage
