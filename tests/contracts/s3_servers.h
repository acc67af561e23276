#pragma once

#include "tests/support/s3_server.h"

namespace contracts {

/// The servers of this test program, started before its first test and stopped after its last.
/// Tests that kill a server start one of their own.
test_support::S3Server& minio();
test_support::S3Server& versitygw();

}  // namespace contracts
