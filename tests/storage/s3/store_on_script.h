#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <utility>

#include "storage/s3/s3_object_store.h"
#include "tests/storage/scripted_server.h"

/// A store whose server answers from a script, and what such scripts are made of.
namespace test_support {

inline const storage::ObjectKey key{"v1/ab/abcdef"};
inline const std::string etag_header = "ETag: \"e1\"\r\n";

/// `oid` is the label that tells objects apart.
inline storage::PutOptions options_with(const std::string& oid) {
  return {.content_type = "image/jpeg", .user_metadata = {{"oid", oid}}, .sha256_hex = {}};
}

inline std::string error_xml(const std::string& code, const std::string& more = "") {
  return "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>why</Message>" + more +
         "</Error>";
}

inline ScriptedAnswer error_answer(int status, const std::string& code,
                                   const std::string& headers = "") {
  return answer(status, headers, error_xml(code));
}

/// Retries within milliseconds.
inline storage::s3::S3ObjectStore::Options quick_options(const ScriptedServer& server) {
  using namespace std::chrono_literals;
  return {.endpoint = server.origin(),
          .bucket = "bucket",
          .credentials = {.key_id = "KEYID", .secret = "very-secret"},
          .retry = {.attempts_max = 5, .delay_first = 1ms, .delay_max = 5ms}};
}

/// The code a call fails with, and its message.
template <class Call>
std::pair<storage::ErrorCode, std::string> failure_of(Call&& call) {
  try {
    call();
  } catch (const storage::Error& error) {
    return {error.code(), error.what()};
  }
  ADD_FAILURE() << "does not throw storage::Error";
  return {};
}

}  // namespace test_support
