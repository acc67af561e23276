#include "storage/local/object_directory.h"

#include <fcntl.h>

#include <algorithm>
#include <vector>

#include "storage/error.h"

namespace storage::local {
namespace {

constexpr std::size_t page_size = 1000;
constexpr std::size_t durable_directories_max = 4096;
constexpr const char* attribute_name = "user.shoebox.object";
constexpr std::uint64_t metadata_size_max = 64U << 10;

// Long enough for any put; another process may have one under way.
constexpr std::chrono::hours leftover_age{24};

std::string text_of(const LargeBuffer& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

ObjectDirectory::ObjectDirectory(std::filesystem::path root, bool user_attributes)
    : root_(std::move(root)), user_attributes_(user_attributes) {
  std::error_code error;
  std::filesystem::create_directories(root_, error);
  if (error) throw_errno(error.value(), "make", root_);
  for (const char* name : {"objects", "metadata", "uploads", "temporary"}) {
    make_directories(root_, name);
  }
  remove_old_leftovers();
}

void ObjectDirectory::remove_old_leftovers() const {
  std::error_code error;
  const auto oldest = std::filesystem::file_time_type::clock::now() - leftover_age;
  for (const auto& entry : std::filesystem::directory_iterator(root_ / "temporary", error)) {
    if (entry.last_write_time(error) < oldest && !error) remove_file(entry.path());
  }
}

std::filesystem::path ObjectDirectory::temporary_path() const {
  return root_ / "temporary" / random_etag().text;
}

void ObjectDirectory::make_parent(const std::filesystem::path& path) {
  const std::filesystem::path parent = path.parent_path();
  {
    std::lock_guard lock(mutex_);
    if (durable_directories_.contains(parent)) return;
  }
  make_directories(root_, parent.lexically_relative(root_));
  std::lock_guard lock(mutex_);
  if (durable_directories_.size() >= durable_directories_max) durable_directories_.clear();
  durable_directories_.insert(parent);
}

ObjectInfo ObjectDirectory::put(const ObjectKey& key, const Payload& body,
                                const PutOptions& options) {
  const std::filesystem::path path = temporary_path();
  File file = File::create(path);
  try {
    file.write_at(0, body.bytes());
    return adopt(file, path,
                 {.key = key.text,
                  .etag = random_etag(),
                  .content_type = options.content_type,
                  .user_metadata = options.user_metadata});
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    throw;
  }
}

// Metadata first, then the name: an object that can be seen is whole.
ObjectInfo ObjectDirectory::adopt(File& file, const std::filesystem::path& path,
                                  ObjectMetadata metadata) {
  const std::filesystem::path target = object_path({metadata.key});
  make_parent(target);
  const bool kept = user_attributes_ && file.set_attribute(attribute_name, metadata.encode());
  if (!kept) write_metadata_file(metadata);
  file.sync();
  rename_file(path, target);
  sync_directory(target.parent_path());
  return {.size_bytes = file.size(),
          .etag = std::move(metadata.etag),
          .user_metadata = std::move(metadata.user_metadata)};
}

void ObjectDirectory::write_metadata_file(const ObjectMetadata& metadata) {
  const std::filesystem::path target = metadata_path({metadata.key});
  const std::filesystem::path path = temporary_path();
  make_parent(target);
  File file = File::create(path);
  file.append(metadata.encode());
  file.sync();
  rename_file(path, target);
  sync_directory(target.parent_path());
}

File ObjectDirectory::open(const ObjectKey& key) const {
  auto file = File::open_existing(object_path(key), O_RDONLY);
  if (!file || !file->is_regular()) {
    throw Error(ErrorCode::no_such_key, "no object " + key.text);
  }
  return std::move(*file);
}

Payload ObjectDirectory::get(const ObjectKey& key, ByteRange range, std::uint64_t size_max) const {
  const File file = open(key);
  const std::uint64_t size = file.size();
  const std::uint64_t left = range.offset < size ? size - range.offset : 0;
  if (std::min(left, range.length) > size_max) {
    throw Error(ErrorCode::rejected, "too much to read at once: " + key.text);
  }
  return file.read_at(range.offset, range.length).to_payload();
}

ObjectMetadata ObjectDirectory::metadata_of(const ObjectKey& key, const File& file) const {
  if (const auto kept = file.attribute(attribute_name)) return ObjectMetadata::decode(*kept);
  const auto beside = File::open_existing(metadata_path(key), O_RDONLY);
  if (!beside) return {};
  return ObjectMetadata::decode(text_of(beside->read_at(0, metadata_size_max)));
}

std::optional<ObjectInfo> ObjectDirectory::head(const ObjectKey& key) const {
  const auto file = File::open_existing(object_path(key), O_RDONLY);
  if (!file || !file->is_regular()) return std::nullopt;
  ObjectMetadata metadata = metadata_of(key, *file);
  return ObjectInfo{.size_bytes = file->size(),
                    .etag = std::move(metadata.etag),
                    .user_metadata = std::move(metadata.user_metadata)};
}

void ObjectDirectory::remove(const ObjectKey& key) {
  const auto file = File::open_existing(object_path(key), O_RDONLY);
  if (!file || !file->is_regular()) return;
  remove_file(object_path(key));
  sync_directory(object_path(key).parent_path());
  remove_file(metadata_path(key));
}

struct ObjectDirectory::Listing {
  const std::string& prefix;
  const std::string& next;
  ListPage page;

  bool full() const { return !page.next.empty(); }
  // Every key in a directory begins with its own: none of them is wanted if these differ.
  bool wants_directory(const std::string& start) const {
    const bool on_the_way = start.starts_with(prefix) || prefix.starts_with(start);
    return on_the_way && (next.empty() || start > next || next.starts_with(start));
  }
  bool wants_object(const std::string& key) const { return key.starts_with(prefix) && key > next; }
};

ListPage ObjectDirectory::list(const std::string& prefix, const std::string& next) const {
  Listing listing{.prefix = prefix, .next = next, .page = {}};
  walk(root_ / "objects", "", listing);
  return std::move(listing.page);
}

void ObjectDirectory::walk(const std::filesystem::path& directory, const std::string& key_start,
                           Listing& listing) const {
  std::vector<std::string> names;  // A directory's has the slash that sorts it among keys.
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    names.push_back(key_start + entry.path().filename().string() +
                    (entry.is_directory(error) ? "/" : ""));
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (listing.full()) return;
    if (name.ends_with('/')) {
      if (listing.wants_directory(name)) walk(root_ / "objects" / name, name, listing);
      continue;
    }
    if (!listing.wants_object(name)) continue;
    const auto file = File::open_existing(object_path({name}), O_RDONLY);
    if (!file) continue;  // deleted meanwhile
    auto& objects = listing.page.objects;
    if (objects.size() == page_size) {
      listing.page.next = objects.back().key.text;
      return;
    }
    objects.push_back({.key = {name}, .size_bytes = file->size(), .modified = file->modified()});
  }
}

}  // namespace storage::local
