#include "storage/s3/object_calls.h"

#include <charconv>

#include "storage/s3/ranged_read.h"

namespace storage::s3 {
namespace {

constexpr std::string_view metadata_prefix = "x-amz-meta-";

// MinIO lets a DELETE wait for readers of the object; silence is not a stall there.
constexpr std::chrono::minutes remove_timeout{5};

RequestRunner::Options runner_options(const S3ObjectStore::Options& options,
                                      const Endpoint& endpoint) {
  return {.endpoint = endpoint,
          .region = options.region,
          .bucket = options.bucket,
          .path_style = options.path_style,
          .credentials = options.credentials,
          .retry = options.retry,
          .engine = {.connections_max = options.connections_max,
                     .queue_max = options.queue_max,
                     .connect_timeout = options.connect_timeout,
                     .stall_time = options.stall_time,
                     .ca_file = options.ca_file,
                     .proxy_from_environment = !endpoint.is_loopback()},
          .observer = options.observer};
}

bool hashes_bodies(PayloadSigning signing, const Endpoint& endpoint) {
  if (signing != PayloadSigning::automatic) return signing == PayloadSigning::always;
  return !endpoint.tls && !endpoint.is_loopback();
}

ETag etag_of(const http::Response& response) {
  return unquoted_etag(http::find_header(response.headers, "etag").value_or(""));
}

Outcome has_etag(const http::Response& response) {
  return etag_of(response).text.empty() ? Outcome::retry : Outcome::done;
}

ObjectInfo info_of(const http::Response& response) {
  ObjectInfo info{.size_bytes = 0, .etag = etag_of(response), .user_metadata = {}};
  const auto length = http::find_header(response.headers, "content-length").value_or("");
  std::from_chars(length.data(), length.data() + length.size(), info.size_bytes);
  for (const auto& [name, value] : response.headers) {
    if (name.starts_with(metadata_prefix)) {
      info.user_metadata.emplace(name.substr(metadata_prefix.size()), value);
    }
  }
  return info;
}

}  // namespace

http::Headers headers_of(const PutOptions& options) {
  http::Headers headers{{"content-type", options.content_type}};
  for (const auto& [name, value] : options.user_metadata) {
    headers.emplace_back(std::string(metadata_prefix) + name, value);
  }
  return headers;
}

S3ObjectStore::Calls::Calls(Options options)
    : options_(std::move(options)),
      endpoint_(Endpoint::parse(options_.endpoint)),
      public_endpoint_(
          options_.public_endpoint.empty() ? endpoint_ : Endpoint::parse(options_.public_endpoint)),
      hash_bodies_(hashes_bodies(options_.payload_signing, endpoint_)),
      runner_(runner_options(options_, endpoint_)) {}

std::string S3ObjectStore::Calls::payload_hash(const Payload& body,
                                               const std::optional<std::string>& known) const {
  if (known) return *known;
  return hash_bodies_ ? sha256_hex(body.bytes()) : std::string(unsigned_payload);
}

Future<ObjectInfo> S3ObjectStore::Calls::put(const ObjectKey& key, Payload body, PutOptions put) {
  Request request{.operation = "PutObject", .method = "PUT", .key = key.text};
  request.headers = headers_of(put);
  request.payload_hash = payload_hash(body, put.sha256_hex);
  request.verify = has_etag;
  ObjectInfo info{.size_bytes = body.size(), .etag = {}, .user_metadata = put.user_metadata};
  request.body = std::move(body);
  return call<ObjectInfo>(std::move(request),
                          [info = std::move(info)](const Answer& answer) mutable {
                            if (!answer.ok) throw error_of(answer);
                            info.etag = etag_of(answer.response);
                            return std::move(info);
                          });
}

Future<Payload> S3ObjectStore::Calls::get(const ObjectKey& key, ByteRange range) {
  const auto read = std::make_shared<RangedRead>(key, range, options_.get_size_max);
  return call<Payload>(read->request(),
                       [read](Answer answer) { return read->finish(std::move(answer)); });
}

Request S3ObjectStore::Calls::head_request(const ObjectKey& key) {
  return {.operation = "HeadObject",
          .method = "HEAD",
          .key = key.text,
          .payload_hash = std::string(unsigned_payload)};
}

std::optional<ObjectInfo> S3ObjectStore::Calls::read_head(const Answer& answer) {
  if (answer.ok) return info_of(answer.response);
  const bool no_bucket = answer.error.code == "NoSuchBucket";
  if (answer.response.status == 404 && !no_bucket) return std::nullopt;
  throw error_of(answer);
}

Future<std::optional<ObjectInfo>> S3ObjectStore::Calls::head(const ObjectKey& key) {
  return call<std::optional<ObjectInfo>>(head_request(key), read_head);
}

Future<void> S3ObjectStore::Calls::remove(const ObjectKey& key) {
  Request request{.operation = "DeleteObject",
                  .method = "DELETE",
                  .key = key.text,
                  .payload_hash = std::string(unsigned_payload),
                  .timeout = remove_timeout};
  return call<void>(std::move(request), [](const Answer& answer) {
    const bool absent = answer.response.status == 404 && answer.error.code != "NoSuchBucket";
    if (!answer.ok && !absent) throw error_of(answer);
  });
}

Future<ListPage> S3ObjectStore::Calls::list(const std::string& prefix, const std::string& next) {
  Request request{.operation = "ListObjectsV2",
                  .payload_hash = std::string(unsigned_payload),
                  .body_max = xml_size_max,
                  .answers_xml = true};
  // Without the encoding, control bytes in foreign keys make XML that no parser takes.
  request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix}};
  if (!next.empty()) request.query.emplace_back("continuation-token", next);
  request.verify = [](const http::Response& response) {
    return parse_listed_keys(response.body_text()) ? Outcome::done : Outcome::retry;
  };
  return call<ListPage>(std::move(request), [](const Answer& answer) {
    if (!answer.ok) throw error_of(answer);
    auto listed = parse_listed_keys(answer.response.body_text());
    return ListPage{.objects = std::move(listed->objects), .next = std::move(listed->next)};
  });
}

}  // namespace storage::s3
