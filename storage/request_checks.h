#pragma once

#include <cstdint>
#include <vector>

#include "storage/object_store.h"

namespace storage {

/// What every store refuses before it does anything. All throw Error(rejected) unless said
/// otherwise.
void check_key(const ObjectKey& key);
/// Throws no_such_upload for an id that names none.
void check_upload(const ObjectKey& key, const UploadId& upload);
/// Content type and metadata: printable ASCII, lower-case names, 2 KiB of metadata at most.
void check_put_options(const PutOptions& options);
void check_put_size(const Limits& limits, std::uint64_t size_bytes);
void check_part(const Limits& limits, PartPosition position, std::uint64_t size_bytes);
void check_copy(const Limits& limits, ByteRange range);
/// At least one, in ascending order, each once.
void check_parts(const std::vector<CompletedPart>& parts);

/// Whether what is stored under a key is what the caller meant to complete: existing proves
/// nothing, size and `oid` do.
bool is_same_object(const ObjectInfo& found, const std::vector<CompletedPart>& parts,
                    const std::string& oid);
std::uint64_t total_size(const std::vector<CompletedPart>& parts);

}  // namespace storage
