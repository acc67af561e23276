#include "storage/store_check.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace storage {
namespace {

constexpr std::string_view small_text = "Shoebox checks this store. The object may be deleted.";
constexpr std::uint64_t part_size_wanted = 64U << 10;

std::string explanation(ErrorCode code) {
  switch (code) {
    case ErrorCode::no_such_key:
      return "what was stored a moment ago is not there";
    case ErrorCode::no_such_upload:
      return "the store lost an upload that was under way";
    case ErrorCode::corrupted:
      return "other bytes came back than were stored";
    case ErrorCode::access_denied:
      return "the store denies access: check the key, its secret and its rights on the bucket";
    case ErrorCode::unavailable:
      return "the store does not answer: check the endpoint, the network and its certificate";
    case ErrorCode::no_space:
      return "the store is full";
    case ErrorCode::rejected:
      return "the store refuses this: check the bucket's name, the region and the addressing style";
  }
  return "";
}

void expect(bool holds, const std::string& otherwise) {
  if (!holds) throw Error(ErrorCode::corrupted, otherwise);
}

// Bytes that differ from block to block, so that swapped or shifted parts are noticed.
Payload pattern(std::uint64_t size, unsigned seed) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  unsigned state = seed;
  for (auto& byte : bytes) {
    state = state * 1103515245U + 12345U;
    byte = static_cast<std::byte>(state >> 16);
  }
  return Payload(std::move(bytes));
}

class StoreCheck {
 public:
  StoreCheck(ObjectStore& store, const std::string& prefix)
      : store_(store),
        whole_(random_object_key(prefix)),
        composed_(random_object_key(prefix)),
        unfinished_(random_object_key(prefix)),
        part_size_(std::max(store.limits().part_size_min, part_size_wanted)) {}

  std::vector<CheckStep> run() {
    if (step("put an object", [this] { put(); })) {
      step("look at it", [this] { look(); });
      step("read it", [this] { read(); });
      step("read ranges of it", [this] { read_ranges(); });
      step("list it", [this] { list(); });
    }
    if (step("upload in parts", [this] { upload(); })) {
      step("read across the parts", [this] { read_composed(); });
    }
    if (step("begin another upload", [this] { begin(); })) {
      step(
          "list unfinished uploads", [this] { list_uploads(); },
          "s3:ListBucketMultipartUploads, to remove what a crash left");
      step(
          "list the parts of one", [this] { list_parts(); },
          "s3:ListMultipartUploadParts, to finish uploads after a crash");
      step(
          "abort it", [this] { abort(); }, "s3:AbortMultipartUpload, to free what was given up");
    }
    step("delete what was stored", [this] { remove(); });
    return std::move(steps_);
  }

 private:
  /// `right`: what an administrator has to allow where access is denied.
  bool step(const std::string& name, const std::function<void()>& action,
            const std::string& right = "") {
    CheckStep result{.name = name, .ok = false, .message = {}};
    try {
      action();
      result.ok = true;
    } catch (const Error& error) {
      result.message = explanation(error.code());
      if (error.code() == ErrorCode::access_denied && !right.empty()) {
        result.message += "; Shoebox needs " + right;
      }
      result.message += std::string(" (") + error.what() + ")";
    } catch (const std::exception& error) {
      result.message = error.what();
    }
    steps_.push_back(std::move(result));
    return steps_.back().ok;
  }

  static PutOptions options(const ObjectKey& key) {
    return {.content_type = "application/octet-stream",
            .user_metadata = {{"oid", key.text}},
            .sha256_hex = {}};
  }

  void put() { store_.put(whole_, Payload::copy_of(small_text), options(whole_)).get(); }

  void look() {
    const auto found = store_.head(whole_).get();
    expect(found.has_value(), "the object is not there");
    expect(found->size_bytes == small_text.size(), "its size is wrong");
    const auto token = found->user_metadata.find("oid");
    expect(token != found->user_metadata.end() && token->second == whole_.text,
           "its metadata were not kept");
  }

  void read() {
    expect(store_.get(whole_, {0, small_text.size()}).get().text() == small_text, "wrong bytes");
  }

  void read_ranges() {
    expect(store_.get(whole_, {8, 6}).get().text() == small_text.substr(8, 6), "wrong range");
    expect(store_.get(whole_, {small_text.size(), 10}).get().empty(), "bytes past the end");
  }

  void list() {
    const auto page = store_.list(whole_.text, "").get();
    expect(page.objects.size() == 1 && page.objects[0].key == whole_, "it is not in the list");
  }

  // A new part, then a short one, copied where the store can.
  void upload() {
    const UploadId id = store_.create_upload(composed_, options(composed_)).get();
    try {
      send_and_complete(id);
    } catch (...) {
      store_.abort_upload(composed_, id).get();
      throw;
    }
  }

  void send_and_complete(const UploadId& id) {
    const Payload first = pattern(part_size_, 1);
    std::vector<CompletedPart> parts;
    const auto add = [&](ETag etag, std::uint64_t size) {
      const int number = static_cast<int>(parts.size()) + 1;
      parts.push_back({.number = number, .etag = std::move(etag), .size_bytes = size});
    };
    add(store_.upload_part(composed_, id, {1, 0}, first).get(), part_size_);
    const ByteRange source{.offset = 0, .length = small_text.size()};
    if (store_.limits().part_copy) {
      add(store_.copy_part(composed_, id, {2, part_size_}, whole_, source).get(), source.length);
    } else {
      add(store_.upload_part(composed_, id, {2, part_size_}, Payload::copy_of(small_text)).get(),
          source.length);
    }
    store_.complete_upload(composed_, id, parts, composed_.text).get();
  }

  void read_composed() {
    const Payload first = pattern(part_size_, 1);
    const std::string expected =
        std::string(first.text().substr(part_size_ - 10)) + std::string(small_text);
    const Payload seam = store_.get(composed_, {part_size_ - 10, 1000}).get();
    expect(seam.text() == expected, "the parts are not where they belong");
  }

  void begin() {
    upload_ = store_.create_upload(unfinished_, options(unfinished_)).get();
    store_.upload_part(unfinished_, upload_, {1, 0}, Payload::copy_of(small_text)).get();
  }

  void list_uploads() {
    const auto found = store_.list_uploads(unfinished_).get();
    expect(found == std::vector{upload_}, "an upload that is under way is not in the list");
  }

  void list_parts() {
    const auto found = store_.list_parts(unfinished_, upload_).get();
    expect(found.size() == 1 && found[0].number == 1 && found[0].size_bytes == small_text.size(),
           "a part that was sent is not in the list");
  }

  void abort() { store_.abort_upload(unfinished_, upload_).get(); }

  void remove() {
    store_.remove(whole_).get();
    store_.remove(composed_).get();
    expect(!store_.head(whole_).get(), "a deleted object is still there");
  }

  ObjectStore& store_;
  const ObjectKey whole_;
  const ObjectKey composed_;
  const ObjectKey unfinished_;
  const std::uint64_t part_size_;
  UploadId upload_;  ///< of unfinished_
  std::vector<CheckStep> steps_;
};

}  // namespace

std::vector<CheckStep> check_store(ObjectStore& store, const std::string& prefix) {
  return StoreCheck(store, prefix).run();
}

}  // namespace storage
