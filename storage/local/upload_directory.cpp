#include "storage/local/upload_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <sstream>

#include "storage/error.h"
#include "storage/request_checks.h"

namespace storage::local {
namespace {

// 10,000 parts of 80 bytes, each replaced a few times; a longer list is not ours.
constexpr std::uint64_t parts_file_max = 16U << 20;
constexpr std::uint64_t options_file_max = 64U << 10;
constexpr std::size_t key_digits = 16;
constexpr std::size_t name_digits = 32;

Error no_such_upload(const UploadId& upload) {
  return Error(ErrorCode::no_such_upload, "no upload " + upload.text);
}
Error rejected(const std::string& message) { return Error(ErrorCode::rejected, message); }

// FNV-1a, so that a key's uploads are found by name. Collisions only cost a wrong candidate.
std::string key_hash(const ObjectKey& key) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : key.text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return fmt::format("{:016x}", hash);
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string read_file(const std::filesystem::path& path, std::uint64_t size_max) {
  const auto file = File::open_existing(path, O_RDONLY);
  if (!file) return "";
  const auto bytes = file->read_at(0, size_max);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

ObjectMetadata read_options(const std::filesystem::path& directory) {
  return ObjectMetadata::decode(read_file(directory / "options", options_file_max));
}

}  // namespace

UploadDirectory::UploadDirectory(const std::filesystem::path& root, ObjectDirectory& objects)
    : uploads_(root / "uploads"), objects_(objects) {
  // Without data it was completed, or never begun; a day is longer than either takes.
  std::error_code error;
  const auto oldest = std::filesystem::file_time_type::clock::now() - std::chrono::hours(24);
  for (const auto& entry : std::filesystem::directory_iterator(uploads_, error)) {
    const bool old = entry.last_write_time(error) < oldest && !error;
    if (old && !std::filesystem::exists(entry.path() / "data", error)) {
      std::filesystem::remove_all(entry.path(), error);
    }
  }
}

std::filesystem::path UploadDirectory::path_of(const ObjectKey& key, const UploadId& upload) const {
  const std::string& id = upload.text;
  if (id.size() != key_digits + 1 + name_digits || id[key_digits] != '-' ||
      !id.starts_with(key_hash(key)) || !is_hex(id.substr(key_digits + 1))) {
    throw no_such_upload(upload);
  }
  return uploads_ / id;
}

UploadId UploadDirectory::create(const ObjectKey& key, const PutOptions& options) {
  UploadId id{key_hash(key) + "-" + random_etag().text};
  const std::filesystem::path directory = uploads_ / id.text;
  make_directories(uploads_, id.text);
  File description = File::create(directory / "options");
  description.append(ObjectMetadata{.key = key.text,
                                    .etag = {},
                                    .content_type = options.content_type,
                                    .user_metadata = options.user_metadata}
                         .encode());
  description.sync_data();
  File::create(directory / "parts");
  File::create(directory / "data");  // last: an upload that can be opened is whole
  sync_directory(directory);
  return id;
}

File UploadDirectory::open_data(const std::filesystem::path& directory, bool alone) const {
  auto data = File::open_existing(directory / "data", O_RDWR);
  if (!data) throw no_such_upload({directory.filename()});
  if (alone) {
    data->lock_alone();
  } else {
    data->lock_shared();
  }
  // While we waited it may have become an object: not a byte of that may change.
  if (!data->is_at(directory / "data")) throw no_such_upload({directory.filename()});
  return std::move(*data);
}

ETag UploadDirectory::write_part(const ObjectKey& key, const UploadId& upload,
                                 PartPosition position, const Payload& body) {
  const std::filesystem::path directory = path_of(key, upload);
  File data = open_data(directory, false);
  data.write_at(position.offset, body.bytes());
  data.sync_data();
  Part part{.offset = position.offset, .size_bytes = body.size(), .etag = random_etag()};
  add_part(directory, position.number, part);
  return std::move(part.etag);
}

ETag UploadDirectory::copy_part(const ObjectKey& key, const UploadId& upload, PartPosition position,
                                const ObjectKey& source, ByteRange range) {
  const std::filesystem::path directory = path_of(key, upload);
  File data = open_data(directory, false);
  const File from = objects_.open(source);
  const std::uint64_t size = from.size();
  if (range.offset > size || range.length > size - range.offset) {
    throw rejected("the range ends behind the source " + source.text);
  }
  data.copy_from(from, range.offset, position.offset, range.length);
  data.sync_data();
  Part part{.offset = position.offset, .size_bytes = range.length, .etag = random_etag()};
  add_part(directory, position.number, part);
  return std::move(part.etag);
}

// A line is framed by line breaks and closed by a semicolon: half a line that a crash left
// spoils neither the one before it nor the one after it.
void UploadDirectory::add_part(const std::filesystem::path& directory, int number,
                               const Part& part) {
  auto file = File::open_existing(directory / "parts", O_WRONLY | O_APPEND);
  if (!file) throw no_such_upload({directory.filename()});
  file->append(
      fmt::format("\n{} {} {} {} ;\n", number, part.offset, part.size_bytes, part.etag.text));
  file->sync_data();
}

UploadDirectory::Parts UploadDirectory::read_parts(const std::filesystem::path& directory) {
  Parts parts;
  std::istringstream lines(read_file(directory / "parts", parts_file_max));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    int number = 0;
    Part part;
    std::string end;
    if (fields >> number >> part.offset >> part.size_bytes >> part.etag.text >> end && end == ";") {
      parts.insert_or_assign(number, std::move(part));  // the last one sent counts
    }
  }
  return parts;
}

void UploadDirectory::check_tiling(const Parts& sent, const Limits& limits,
                                   const std::vector<CompletedPart>& parts) {
  std::uint64_t end = 0;
  for (const CompletedPart& part : parts) {
    const auto found = sent.find(part.number);
    if (found == sent.end() || found->second.etag != part.etag) {
      throw rejected(fmt::format("part {} is not the one that was sent", part.number));
    }
    if (found->second.offset != end) {
      throw rejected(
          fmt::format("part {} lies at {}, not at {}", part.number, found->second.offset, end));
    }
    if (part.number != parts.back().number && found->second.size_bytes < limits.part_size_min) {
      throw rejected(fmt::format("part {} is too small", part.number));
    }
    end += found->second.size_bytes;
  }
}

ObjectInfo UploadDirectory::complete(const ObjectKey& key, const UploadId& upload,
                                     const Limits& limits, const std::vector<CompletedPart>& parts,
                                     const std::string& oid) {
  const std::filesystem::path directory = path_of(key, upload);
  try {
    File data = open_data(directory, true);
    const Parts sent = read_parts(directory);
    check_tiling(sent, limits, parts);
    const Part& last = sent.at(parts.back().number);
    data.truncate(last.offset + last.size_bytes);
    ObjectMetadata metadata = read_options(directory);
    metadata.etag = random_etag();
    ObjectInfo info = objects_.adopt(data, directory / "data", std::move(metadata));
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
    return info;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::no_such_upload) throw;
    const auto found = objects_.head(key);
    if (!found || !is_same_object(*found, parts, oid)) throw;
    return *found;
  }
}

void UploadDirectory::abort(const ObjectKey& key, const UploadId& upload) {
  const std::filesystem::path directory = path_of(key, upload);
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) throw_errno(error.value(), "remove", directory);
}

std::vector<UploadId> UploadDirectory::list(const ObjectKey& key) const {
  std::vector<UploadId> found;
  const std::string start = key_hash(key) + "-";
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(uploads_, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(start) || !std::filesystem::exists(entry.path() / "data", error))
      continue;
    if (read_options(entry.path()).key == key.text) found.push_back({name});
  }
  if (error) throw_errno(error.value(), "list", uploads_);
  return found;
}

std::vector<CompletedPart> UploadDirectory::list_parts(const ObjectKey& key,
                                                       const UploadId& upload) const {
  const std::filesystem::path directory = path_of(key, upload);
  if (!File::open_existing(directory / "data", O_RDONLY)) throw no_such_upload(upload);
  std::vector<CompletedPart> parts;
  for (const auto& [number, part] : read_parts(directory)) {
    parts.push_back({.number = number, .etag = part.etag, .size_bytes = part.size_bytes});
  }
  return parts;
}

}  // namespace storage::local
