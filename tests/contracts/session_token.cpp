#include "tests/contracts/session_token.h"

#include <future>
#include <stdexcept>

#include "storage/http/multi_engine.h"
#include "storage/s3/sigv4_signer.h"

namespace contracts {
namespace {

using namespace storage;

std::string text_between(std::string_view text, const std::string& tag) {
  const auto begin = text.find("<" + tag + ">");
  const auto end = text.find("</" + tag + ">");
  if (begin == std::string_view::npos || end == std::string_view::npos) {
    throw std::runtime_error("no " + tag + " in " + std::string(text));
  }
  const auto start = begin + tag.size() + 2;
  return std::string(text.substr(start, end - start));
}

}  // namespace

s3::Credentials assume_role(const test_support::S3Server& server) {
  const auto options = server.store_options();
  const std::string body = "Action=AssumeRole&Version=2011-06-15&DurationSeconds=3600";
  const std::string host = server.endpoint().substr(server.endpoint().find("//") + 2);
  s3::Signable signable{
      .method = "POST",
      .headers = {{"content-type", "application/x-www-form-urlencoded"}, {"host", host}},
      .payload_hash = s3::sha256_hex(body)};
  const s3::SigV4Signer signer(options.credentials, "sts");
  signer.sign(signable, std::chrono::system_clock::now(), options.region);
  std::promise<http::Response> promise;
  http::MultiEngine engine({});
  const bool accepted =
      engine.submit({.method = "POST",
                     .url = server.endpoint() + "/",
                     .headers = signable.headers,
                     .body = Payload::copy_of(body)},
                    [&](http::Response response) { promise.set_value(std::move(response)); });
  if (!accepted) throw std::runtime_error("the request was not accepted");
  const auto response = promise.get_future().get();
  const auto text = response.body_text();
  return {.key_id = text_between(text, "AccessKeyId"),
          .secret = text_between(text, "SecretAccessKey"),
          .session_token = text_between(text, "SessionToken")};
}

}  // namespace contracts
