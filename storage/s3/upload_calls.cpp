#include <fmt/format.h>

#include "storage/request_checks.h"
#include "storage/s3/object_calls.h"

namespace storage::s3 {
namespace {

// Completing and copying happen inside the store, in silence, for minutes.
constexpr std::chrono::minutes long_timeout{15};
constexpr int pages_max = 100;

http::Headers part_query(const UploadId& upload, int number) {
  return {{"partNumber", std::to_string(number)}, {"uploadId", upload.text}};
}

// A reader's verdict on a 2xx answer: it is one, or the attempt was in vain.
template <class Parse>
auto verify_with(Parse parse) {
  return [parse](const http::Response& response) {
    return parse(response.body_text()) ? Outcome::done : Outcome::retry;
  };
}

}  // namespace

Future<UploadId> S3ObjectStore::Calls::create_upload(const ObjectKey& key, PutOptions put) {
  Request request{.operation = "CreateMultipartUpload", .method = "POST", .key = key.text};
  request.query = {{"uploads", ""}};
  request.headers = headers_of(put);
  request.payload_hash = sha256_hex(std::string_view());
  request.answers_xml = true;
  request.verify = verify_with(parse_created_upload);
  return call<UploadId>(std::move(request), [](const Answer& answer) {
    if (!answer.ok) throw error_of(answer);
    return *parse_created_upload(answer.response.body_text());
  });
}

Future<ETag> S3ObjectStore::Calls::upload_part(const ObjectKey& key, const UploadId& upload,
                                               int number, Payload body) {
  Request request{.operation = "UploadPart", .method = "PUT", .key = key.text};
  request.query = part_query(upload, number);
  request.payload_hash = payload_hash(body, std::nullopt);
  request.body = std::move(body);
  const auto read_etag = [](const http::Response& response) {
    return unquoted_etag(http::find_header(response.headers, "etag").value_or(""));
  };
  request.verify = [read_etag](const http::Response& response) {
    return read_etag(response).text.empty() ? Outcome::retry : Outcome::done;
  };
  return call<ETag>(std::move(request), [read_etag](const Answer& answer) {
    if (!answer.ok) throw error_of(answer);
    return read_etag(answer.response);
  });
}

Future<ETag> S3ObjectStore::Calls::copy_part(const ObjectKey& key, const UploadId& upload,
                                             int number, const ObjectKey& source, ByteRange range) {
  Request request{.operation = "UploadPartCopy", .method = "PUT", .key = key.text};
  request.query = part_query(upload, number);
  request.headers = {
      {"x-amz-copy-source", uri_encode_path("/" + options_.bucket + "/" + source.text)},
      {"x-amz-copy-source-range",
       fmt::format("bytes={}-{}", range.offset, range.offset + range.length - 1)}};
  request.payload_hash = sha256_hex(std::string_view());
  request.timeout = long_timeout;
  request.answers_xml = true;
  request.verify = verify_with(parse_copied_part);
  return call<ETag>(std::move(request), [](const Answer& answer) {
    if (!answer.ok) throw error_of(answer);
    return *parse_copied_part(answer.response.body_text());
  });
}

struct S3ObjectStore::Calls::Completion {
  ObjectKey key;
  std::vector<CompletedPart> parts;
  std::string oid;
  Promise<ObjectInfo> promise;
};

Future<ObjectInfo> S3ObjectStore::Calls::complete_upload(const ObjectKey& key,
                                                         const UploadId& upload,
                                                         std::vector<CompletedPart> parts,
                                                         const std::string& oid) {
  Request request{.operation = "CompleteMultipartUpload", .method = "POST", .key = key.text};
  request.query = {{"uploadId", upload.text}};
  request.headers = {{"content-type", "application/xml"}};
  request.body = Payload::copy_of(write_complete_upload(parts));
  request.payload_hash = sha256_hex(request.body.bytes());
  request.timeout = long_timeout;
  request.answers_xml = true;
  request.verify = verify_with(parse_completed_upload);
  auto completion = std::make_shared<Completion>(Completion{key, std::move(parts), oid, {}});
  Future<ObjectInfo> future = completion->promise.future();
  runner_.send(std::move(request), [this, completion](Answer answer) {
    look_for_completed(completion, std::move(answer));
  });
  return future;
}

// A Complete that ran twice (after a lost answer) finds no upload the second time, one that was
// given up may have worked, and versitygw says 200 to one whose upload is gone if any object has
// the key. So the object itself decides: that it exists proves nothing, its size and our token do.
void S3ObjectStore::Calls::look_for_completed(const std::shared_ptr<Completion>& completion,
                                              Answer answer) {
  const bool ambiguous = answer.ok || answer.gave_up || answer.error.code == "NoSuchUpload" ||
                         answer.response.status == 404 || answer.response.status == 412;
  if (!ambiguous) {
    completion->promise.set_exception(std::make_exception_ptr(error_of(answer)));
    return;
  }
  runner_.send(head_request(completion->key), [completion, answer](const Answer& seen) {
    settle(completion->promise, [&] {
      std::optional<ObjectInfo> found = read_head(seen);
      if (found && is_same_object(*found, completion->parts, completion->oid)) {
        return std::move(*found);
      }
      if (!answer.ok) throw error_of(answer);
      throw Error(ErrorCode::no_such_upload,
                  "CompleteMultipartUpload " + completion->key.text + ": made another object");
    });
  });
}

Future<void> S3ObjectStore::Calls::abort_upload(const ObjectKey& key, const UploadId& upload) {
  Request request{.operation = "AbortMultipartUpload",
                  .method = "DELETE",
                  .key = key.text,
                  .query = {{"uploadId", upload.text}},
                  .payload_hash = std::string(unsigned_payload)};
  return call<void>(std::move(request), [](const Answer& answer) {
    const bool absent = answer.response.status == 404 && answer.error.code != "NoSuchBucket";
    if (!answer.ok && !absent) throw error_of(answer);
  });
}

struct S3ObjectStore::Calls::UploadListing {
  ObjectKey key;
  std::vector<UploadId> found;
  std::string next_key;
  std::string next_upload;
  int pages = 0;
  Promise<std::vector<UploadId>> promise;
};

Future<std::vector<UploadId>> S3ObjectStore::Calls::list_uploads(const ObjectKey& key) {
  auto listing = std::make_shared<UploadListing>();
  listing->key = key;
  Future<std::vector<UploadId>> future = listing->promise.future();
  list_more_uploads(listing);
  return future;
}

// The prefix is the whole key: MinIO knows nothing of other prefixes after a restart.
void S3ObjectStore::Calls::list_more_uploads(const std::shared_ptr<UploadListing>& listing) {
  Request request{.operation = "ListMultipartUploads",
                  .query = {{"uploads", ""}, {"prefix", listing->key.text}},
                  .payload_hash = std::string(unsigned_payload),
                  .body_max = xml_size_max,
                  .answers_xml = true,
                  .verify = verify_with(parse_listed_uploads)};
  if (listing->pages > 0) {
    request.query.emplace_back("key-marker", listing->next_key);
    request.query.emplace_back("upload-id-marker", listing->next_upload);
  }
  runner_.send(std::move(request), [this, listing](const Answer& answer) {
    if (!answer.ok) {
      listing->promise.set_exception(std::make_exception_ptr(error_of(answer)));
      return;
    }
    auto page = *parse_listed_uploads(answer.response.body_text());
    for (auto& upload : page.uploads) {
      if (upload.key == listing->key.text) listing->found.push_back(std::move(upload.id));
    }
    listing->next_key = page.next_key;
    listing->next_upload = page.next_upload;
    if (page.truncated && ++listing->pages < pages_max) {
      list_more_uploads(listing);
    } else {
      listing->promise.set_value(std::move(listing->found));
    }
  });
}

struct S3ObjectStore::Calls::PartListing {
  ObjectKey key;
  UploadId upload;
  std::vector<CompletedPart> found;
  std::string next_number;
  int pages = 0;
  Promise<std::vector<CompletedPart>> promise;
};

Future<std::vector<CompletedPart>> S3ObjectStore::Calls::list_parts(const ObjectKey& key,
                                                                    const UploadId& upload) {
  auto listing = std::make_shared<PartListing>();
  listing->key = key;
  listing->upload = upload;
  Future<std::vector<CompletedPart>> future = listing->promise.future();
  list_more_parts(listing);
  return future;
}

void S3ObjectStore::Calls::list_more_parts(const std::shared_ptr<PartListing>& listing) {
  Request request{.operation = "ListParts",
                  .key = listing->key.text,
                  .query = {{"uploadId", listing->upload.text}},
                  .payload_hash = std::string(unsigned_payload),
                  .body_max = xml_size_max,
                  .answers_xml = true,
                  .verify = verify_with(parse_listed_parts)};
  if (listing->pages > 0) request.query.emplace_back("part-number-marker", listing->next_number);
  runner_.send(std::move(request), [this, listing](const Answer& answer) {
    if (!answer.ok) {
      listing->promise.set_exception(std::make_exception_ptr(error_of(answer)));
      return;
    }
    auto page = *parse_listed_parts(answer.response.body_text());
    listing->found.insert(listing->found.end(), page.parts.begin(), page.parts.end());
    listing->next_number = page.next_number;
    if (page.truncated && ++listing->pages < pages_max) {
      list_more_parts(listing);
    } else {
      listing->promise.set_value(std::move(listing->found));
    }
  });
}

}  // namespace storage::s3
