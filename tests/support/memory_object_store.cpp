#include "tests/support/memory_object_store.h"

#include <algorithm>

#include "storage/request_checks.h"

namespace test_support {
namespace {

using namespace storage;

constexpr std::size_t page_size = 1000;

Error rejected(const std::string& message) { return Error(ErrorCode::rejected, message); }

// Answers with what `call` returns or throws.
template <class Call>
auto answered(Call&& call) {
  using T = decltype(call());
  Promise<T> promise;
  auto future = promise.future();
  try {
    if constexpr (std::is_void_v<T>) {
      call();
      promise.set_value();
    } else {
      promise.set_value(call());
    }
  } catch (const Error&) {
    promise.set_exception(std::current_exception());
  }
  return future;
}

Payload read_range(const Payload& body, ByteRange range) {
  if (range.offset >= body.size()) return {};
  return body.slice(range.offset,
                    std::min<std::uint64_t>(range.length, body.size() - range.offset));
}

/// The caller takes its memory back when the answer is there.
Payload copy_of(const Payload& body) { return Payload::copy_of(body.text()); }

}  // namespace

MemoryObjectStore::MemoryObjectStore(Limits limits) : limits_(limits) {}

ETag MemoryObjectStore::next_etag() { return {"etag-" + std::to_string(++counter_)}; }

MemoryObjectStore::Upload& MemoryObjectStore::find_upload(const ObjectKey& key,
                                                          const UploadId& upload) {
  const auto found = uploads_.find(upload);
  if (found == uploads_.end() || found->second.key != key) {
    throw Error(ErrorCode::no_such_upload, "no upload " + upload.text);
  }
  return found->second;
}

const MemoryObjectStore::Object& MemoryObjectStore::find_object(const ObjectKey& key) const {
  const auto found = objects_.find(key);
  if (found == objects_.end()) throw Error(ErrorCode::no_such_key, "no object " + key.text);
  return found->second;
}

ObjectInfo MemoryObjectStore::store(const ObjectKey& key, Payload body, const PutOptions& options) {
  Object object{.body = std::move(body),
                .info = {},
                .content_type = options.content_type,
                .modified = std::chrono::system_clock::now()};
  object.info = {.size_bytes = object.body.size(),
                 .etag = next_etag(),
                 .user_metadata = options.user_metadata};
  ObjectInfo info = object.info;
  objects_.insert_or_assign(key, std::move(object));
  return info;
}

Future<ObjectInfo> MemoryObjectStore::put(const ObjectKey& key, Payload body, PutOptions options) {
  return answered([&] {
    check_key(key);
    check_put_size(limits_, body.size());
    check_put_options(options);
    std::lock_guard lock(mutex_);
    return store(key, copy_of(body), options);
  });
}

Future<Payload> MemoryObjectStore::get(const ObjectKey& key, ByteRange range) {
  return answered([&] {
    check_key(key);
    std::lock_guard lock(mutex_);
    return read_range(find_object(key).body, range);
  });
}

Future<std::optional<ObjectInfo>> MemoryObjectStore::head(const ObjectKey& key) {
  return answered([&]() -> std::optional<ObjectInfo> {
    check_key(key);
    std::lock_guard lock(mutex_);
    const auto found = objects_.find(key);
    if (found == objects_.end()) return std::nullopt;
    return found->second.info;
  });
}

Future<void> MemoryObjectStore::remove(const ObjectKey& key) {
  return answered([&] {
    check_key(key);
    std::lock_guard lock(mutex_);
    objects_.erase(key);
  });
}

Future<UploadId> MemoryObjectStore::create_upload(const ObjectKey& key, PutOptions options) {
  return answered([&] {
    check_key(key);
    check_put_options(options);
    std::lock_guard lock(mutex_);
    UploadId id{"upload-" + std::to_string(++counter_)};
    uploads_.emplace(id, Upload{.key = key, .options = std::move(options), .parts = {}});
    return id;
  });
}

ETag MemoryObjectStore::add_part(const ObjectKey& key, const UploadId& upload,
                                 PartPosition position, Payload body) {
  check_part(limits_, position, body.size());
  Part part{.body = std::move(body), .etag = next_etag(), .offset = position.offset};
  ETag etag = part.etag;
  find_upload(key, upload).parts.insert_or_assign(position.number, std::move(part));
  return etag;
}

Future<ETag> MemoryObjectStore::upload_part(const ObjectKey& key, const UploadId& upload,
                                            PartPosition position, Payload body) {
  return answered([&] {
    std::lock_guard lock(mutex_);
    return add_part(key, upload, position, copy_of(body));
  });
}

Future<ETag> MemoryObjectStore::copy_part(const ObjectKey& key, const UploadId& upload,
                                          PartPosition position, const ObjectKey& source,
                                          ByteRange source_range) {
  return answered([&] {
    check_copy(limits_, source_range);
    std::lock_guard lock(mutex_);
    const Payload& whole = find_object(source).body;
    if (source_range.offset > whole.size() ||
        source_range.length > whole.size() - source_range.offset) {
      throw rejected("the range ends behind the source");
    }
    return add_part(key, upload, position, read_range(whole, source_range));
  });
}

// Checks what S3 checks, and that the positions named are where the parts end up.
Payload MemoryObjectStore::joined(const Upload& upload, const std::vector<CompletedPart>& parts) {
  std::vector<std::byte> whole;
  check_parts(parts);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto found = upload.parts.find(parts[i].number);
    if (found == upload.parts.end() || found->second.etag != parts[i].etag) {
      throw rejected("the part is not the one that was sent");
    }
    const Part& part = found->second;
    const bool last = i + 1 == parts.size();
    if (!last && part.body.size() < limits_.part_size_min) throw rejected("a part is too small");
    if (!last && limits_.parts_equal &&
        part.body.size() != upload.parts.begin()->second.body.size()) {
      throw rejected("parts must have one size");
    }
    if (part.offset != whole.size()) throw rejected("parts must follow each other without gaps");
    const auto bytes = part.body.bytes();
    whole.insert(whole.end(), bytes.begin(), bytes.end());
  }
  return Payload(std::move(whole));
}

// The object a second Complete may have made already.
ObjectInfo MemoryObjectStore::find_completed(const ObjectKey& key, const UploadId& upload) const {
  const auto object = objects_.find(key);
  if (object == objects_.end()) throw Error(ErrorCode::no_such_upload, "no upload " + upload.text);
  return object->second.info;
}

ObjectInfo MemoryObjectStore::complete(const ObjectKey& key, const UploadId& upload,
                                       const std::vector<CompletedPart>& parts,
                                       const std::string& oid) {
  const auto found = uploads_.find(upload);
  if (found == uploads_.end()) {
    const ObjectInfo info = find_completed(key, upload);
    if (is_same_object(info, parts, oid)) return info;
  }
  Upload& open = find_upload(key, upload);
  ObjectInfo info = store(key, joined(open, parts), open.options);
  uploads_.erase(upload);
  return info;
}

Future<ObjectInfo> MemoryObjectStore::complete_upload(const ObjectKey& key, const UploadId& upload,
                                                      std::vector<CompletedPart> parts,
                                                      const std::string& oid) {
  return answered([&] {
    std::lock_guard lock(mutex_);
    return complete(key, upload, parts, oid);
  });
}

Future<void> MemoryObjectStore::abort_upload(const ObjectKey& key, const UploadId& upload) {
  return answered([&] {
    std::lock_guard lock(mutex_);
    const auto found = uploads_.find(upload);
    if (found != uploads_.end() && found->second.key == key) uploads_.erase(found);
  });
}

Future<std::vector<UploadId>> MemoryObjectStore::list_uploads(const ObjectKey& key) {
  return answered([&] {
    std::lock_guard lock(mutex_);
    std::vector<UploadId> found;
    for (const auto& [id, upload] : uploads_) {
      if (upload.key == key) found.push_back(id);
    }
    return found;
  });
}

Future<std::vector<CompletedPart>> MemoryObjectStore::list_parts(const ObjectKey& key,
                                                                 const UploadId& upload) {
  return answered([&] {
    std::lock_guard lock(mutex_);
    std::vector<CompletedPart> found;
    for (const auto& [number, part] : find_upload(key, upload).parts) {
      found.push_back({.number = number, .etag = part.etag, .size_bytes = part.body.size()});
    }
    return found;
  });
}

Future<ListPage> MemoryObjectStore::list(const std::string& prefix, const std::string& next) {
  return answered([&] {
    std::lock_guard lock(mutex_);
    ListPage page;
    auto object = objects_.lower_bound(ObjectKey{std::max(prefix, next)});
    if (object != objects_.end() && object->first.text == next) ++object;
    for (; object != objects_.end() && object->first.text.starts_with(prefix); ++object) {
      if (page.objects.size() == page_size) {
        page.next = page.objects.back().key.text;
        break;
      }
      page.objects.push_back({.key = object->first,
                              .size_bytes = object->second.body.size(),
                              .modified = object->second.modified});
    }
    return page;
  });
}

std::size_t MemoryObjectStore::object_count() const {
  std::lock_guard lock(mutex_);
  return objects_.size();
}

std::size_t MemoryObjectStore::upload_count() const {
  std::lock_guard lock(mutex_);
  return uploads_.size();
}

std::vector<ObjectKey> MemoryObjectStore::keys() const {
  std::lock_guard lock(mutex_);
  std::vector<ObjectKey> keys;
  for (const auto& [key, object] : objects_) keys.push_back(key);
  return keys;
}

std::string MemoryObjectStore::content_type(const ObjectKey& key) const {
  std::lock_guard lock(mutex_);
  return find_object(key).content_type;
}

}  // namespace test_support
