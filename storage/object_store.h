#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/error.h"
#include "storage/future.h"
#include "storage/object_key.h"
#include "storage/payload.h"

namespace storage {

/// Bytes `offset` to `offset + length - 1`.
struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Opaque token of a store for some content; nothing may be concluded from its text.
struct ETag {
  std::string text;
  auto operator<=>(const ETag&) const = default;
};

/// Names a multipart upload of one key.
struct UploadId {
  std::string text;
  auto operator<=>(const UploadId&) const = default;
};

struct ObjectInfo {
  std::uint64_t size_bytes = 0;
  ETag etag;
  /// Names are lower case, without the `x-amz-meta-` prefix.
  std::map<std::string, std::string> user_metadata;
};

/// What is stored with an object.
struct PutOptions {
  std::string content_type = "application/octet-stream";
  /// Printable ASCII. `oid` must be there and unique: after an ambiguous answer it proves that the
  /// object found is ours.
  std::map<std::string, std::string> user_metadata;
  /// Lower-case hex SHA-256 of the body where the caller knows it already; spares computing it.
  std::optional<std::string> sha256_hex;
};

/// Which part of an upload, and where its bytes lie in the finished object. Parts may be sent in
/// any order and at the same time; when completed, they must follow each other without gaps.
struct PartPosition {
  int number = 1;  ///< 1 to limits().parts_max
  std::uint64_t offset = 0;
};

struct CompletedPart {
  int number = 1;
  ETag etag;
  std::uint64_t size_bytes = 0;
};

struct ListedObject {
  ObjectKey key;
  std::uint64_t size_bytes = 0;
  std::chrono::system_clock::time_point modified;
};

struct ListPage {
  std::vector<ListedObject> objects;  ///< in bytewise order of their keys
  std::string next;                   ///< pass on to list(); empty at the end
};

/// What a store can do. Probed or configured, constant afterwards.
struct Limits {
  int parts_max = 10'000;
  std::uint64_t part_size_min = 5ULL << 20;  ///< for all parts but the last
  std::uint64_t part_size_max = 5ULL << 30;
  std::uint64_t put_size_max = 5ULL << 30;
  bool parts_equal = false;  ///< all parts but the last must have one size (Cloudflare R2)
  bool part_copy = true;     ///< copy_part() works (not on Google's XML API)
  std::uint64_t copy_part_max = 64ULL << 20;  ///< larger copies are slower than parallel ones
};

/// Room of a store that has an end.
struct StoreSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

/// Where file contents live: immutable objects, each named by an opaque key.
///
/// Safe to call from any thread. Calls return at once; the future holds the answer or throws
/// storage::Error. Retries happen inside: an error that arrives is final. Payloads given are shared
/// until the future is ready. Sizes are bytes. Destroying a store waits for what is under way.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  /// The program ends: for `grace` all goes on as usual; then what is under way, what waits for the
  /// store to come back and what is asked later fails as unavailable. Returns at once. Nothing
  /// where answers wait for nobody outside of this machine.
  virtual void stop(std::chrono::milliseconds /*grace*/) {}

  virtual const Limits& limits() const = 0;

  /// Nothing where the store takes whatever comes.
  virtual std::optional<StoreSpace> space() const { return std::nullopt; }

  /// Stores a whole object. Durable when the future is ready. Throws rejected above put_size_max.
  virtual Future<ObjectInfo> put(const ObjectKey& key, Payload body, PutOptions options) = 0;

  /// Reads `range`; shorter only where the object ends, empty at or past its end.
  /// Throws no_such_key, corrupted, unavailable.
  virtual Future<Payload> get(const ObjectKey& key, ByteRange range) = 0;

  /// Absence is an answer.
  virtual Future<std::optional<ObjectInfo>> head(const ObjectKey& key) = 0;

  /// Deletes an object. A missing one is deleted already.
  virtual Future<void> remove(const ObjectKey& key) = 0;

  /// Begins a multipart upload. After a lost answer the store may hold another one that nobody
  /// knows: find it by list_uploads(key).
  virtual Future<UploadId> create_upload(const ObjectKey& key, PutOptions options) = 0;

  /// Sends a part; the same number again replaces it. Throws no_such_upload.
  virtual Future<ETag> upload_part(const ObjectKey& key, const UploadId& upload,
                                   PartPosition position, Payload body) = 0;

  /// Makes a part of `source_range` of another object without moving bytes through this process.
  /// Throws rejected where !limits().part_copy, no_such_key.
  virtual Future<ETag> copy_part(const ObjectKey& key, const UploadId& upload,
                                 PartPosition position, const ObjectKey& source,
                                 ByteRange source_range) = 0;

  /// Makes the parts an object, durably. Parts in ascending order. When the store's answer is
  /// ambiguous, the object is looked at: success means size and `oid` are right.
  virtual Future<ObjectInfo> complete_upload(const ObjectKey& key, const UploadId& upload,
                                             std::vector<CompletedPart> parts,
                                             const std::string& oid) = 0;

  /// Ends an upload and frees its parts. A missing one is aborted already.
  virtual Future<void> abort_upload(const ObjectKey& key, const UploadId& upload) = 0;

  /// Unfinished uploads of exactly this key.
  virtual Future<std::vector<UploadId>> list_uploads(const ObjectKey& key) = 0;

  /// Parts received so far, ascending. Throws no_such_upload.
  virtual Future<std::vector<CompletedPart>> list_parts(const ObjectKey& key,
                                                        const UploadId& upload) = 0;

  /// Objects whose keys begin with `prefix`; `next` is empty or the last page's.
  virtual Future<ListPage> list(const std::string& prefix, const std::string& next) = 0;
};

}  // namespace storage
