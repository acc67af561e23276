#include "sftpd/vfs/error.h"

#include "metadata/error.h"
#include "storage/error.h"

namespace sftpd::vfs {

namespace {

ErrorCode code_of(storage::ErrorCode code) {
  switch (code) {
    case storage::ErrorCode::no_such_key:
    case storage::ErrorCode::corrupted:
      return ErrorCode::content_damaged;
    case storage::ErrorCode::no_such_upload:
    case storage::ErrorCode::access_denied:
    case storage::ErrorCode::unavailable:
    case storage::ErrorCode::rejected:
      return ErrorCode::store_unavailable;
    case storage::ErrorCode::no_space:
      return ErrorCode::no_space;
  }
  return ErrorCode::internal;
}

ErrorCode code_of(metadata::ErrorCode code) {
  switch (code) {
    case metadata::ErrorCode::not_found:
      return ErrorCode::not_found;
    case metadata::ErrorCode::already_exists:
      return ErrorCode::already_exists;
    case metadata::ErrorCode::not_empty:
      return ErrorCode::not_empty;
    case metadata::ErrorCode::not_a_directory:
      return ErrorCode::not_a_directory;
    case metadata::ErrorCode::would_loop:
      return ErrorCode::would_loop;
    case metadata::ErrorCode::quota_exceeded:
      return ErrorCode::quota_exceeded;
    case metadata::ErrorCode::invalid:
      return ErrorCode::bad_name;
    case metadata::ErrorCode::lease_lost:
      return ErrorCode::store_unavailable;
    case metadata::ErrorCode::conflict:
    case metadata::ErrorCode::in_doubt:
    case metadata::ErrorCode::unavailable:
      return ErrorCode::database_unavailable;
    case metadata::ErrorCode::internal:
      return ErrorCode::internal;
  }
  return ErrorCode::internal;
}

}  // namespace

Error as_vfs_error(std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const storage::Error& error) {
    return {code_of(error.code()), error.what()};
  } catch (const metadata::Error& error) {
    return {code_of(error.code()), error.what()};
  } catch (const std::exception& error) {
    return {ErrorCode::internal, error.what()};
  } catch (...) {
    return {ErrorCode::internal, "unknown exception"};
  }
}

}  // namespace sftpd::vfs
