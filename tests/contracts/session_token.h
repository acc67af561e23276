#pragma once

#include "storage/s3/credentials.h"
#include "tests/support/s3_server.h"

namespace contracts {

/// Temporary credentials, with a session token, from the server's STS (AssumeRole). Throws
/// std::runtime_error where it gives none.
storage::s3::Credentials assume_role(const test_support::S3Server& server);

}  // namespace contracts
