#include "sftpd/admin/rebuild/export_files.h"

#include <fmt/format.h>

#include "sftpd/admin/context.h"
#include "sftpd/jobs/exports/gzip.h"
#include "sftpd/vfs/content/hash.h"

namespace sftpd::admin::rebuild {
namespace {

using jobs::ExportedFile;

constexpr std::uint64_t block_size = 8ULL << 20;
constexpr std::size_t batch_size = 1ULL << 20;
// The longest have inline bytes, 16 MiB at most, as digits. What a small file unpacks to has no
// other bound.
constexpr std::size_t row_size_max = 64ULL << 20;

Failure damaged(const ChosenExport& chosen, const ExportedFile& file, const std::string& reason) {
  return Failure(fmt::format(
      "the export's file {}/{} {}. Nothing was changed; another export can be chosen by --export",
      chosen.stored.directory, file.name, reason));
}

/// Calls `take` with the file's bytes, block by block.
template <class Take>
void read_file(storage::ObjectStore& store, const ChosenExport& chosen, const ExportedFile& file,
               Take take) {
  const storage::ObjectKey key{chosen.stored.directory + "/" + file.name};
  try {
    for (std::uint64_t offset = 0; offset < file.size_bytes; offset += block_size) {
      const auto length = std::min(block_size, file.size_bytes - offset);
      const auto bytes = store.get(key, {offset, length}).get();
      if (bytes.size() != length) throw damaged(chosen, file, "is too short");
      take(bytes.bytes());
    }
  } catch (const storage::Error& error) {
    throw damaged(chosen, file, fmt::format("cannot be read: {}", error.what()));
  }
}

void verify(storage::ObjectStore& store, const ChosenExport& chosen, const ExportedFile& file) {
  vfs::Sha256Hasher hasher;
  read_file(store, chosen, file, [&](std::span<const std::byte> bytes) { hasher.add(bytes); });
  if (vfs::hexadecimal(hasher.finish()) != file.sha256) {
    throw damaged(chosen, file, "is damaged: it does not have its checksum");
  }
}

/// Cuts text into lines and collects them to arrays.
class RowBatches {
 public:
  RowBatches(const std::string& table, const TakeRows& take) : table_(table), take_(take) {}

  void add(std::string_view text) {
    for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
      array_ += text.substr(0, end);
      end_row();
      text.remove_prefix(end + 1);
    }
    array_ += text;
    if (array_.size() > row_size_max) {
      throw Failure(fmt::format(
          "the export has a row of {} without an end. Nothing was changed; another export can be "
          "chosen by --export",
          table_));
    }
  }

  /// Of rows, which must all have ended.
  std::uint64_t finish() {
    if (array_.size() > 1) flush();
    return rows_;
  }

 private:
  void end_row() {
    ++rows_;
    if (array_.size() >= batch_size) return flush();
    array_ += ',';
  }

  void flush() {
    if (array_.back() == ',') array_.pop_back();
    array_ += ']';
    take_(table_, array_);
    array_.assign(1, '[');
  }

  const std::string& table_;
  const TakeRows& take_;
  std::string array_ = "[";
  std::uint64_t rows_ = 0;
};

}  // namespace

void verify_files(storage::ObjectStore& store, const ChosenExport& chosen) {
  for (const ExportedFile& file : chosen.manifest.files) verify(store, chosen, file);
}

void read_rows(storage::ObjectStore& store, const ChosenExport& chosen, const TakeRows& take) {
  for (const ExportedFile& file : chosen.manifest.files) {
    RowBatches rows(file.table, take);
    jobs::GzipReader gzip;
    read_file(store, chosen, file, [&](std::span<const std::byte> bytes) {
      gzip.add(bytes, [&](std::string_view text) { rows.add(text); });
    });
    if (rows.finish() != file.rows || !gzip.ended()) {
      throw damaged(chosen, file, "does not have the rows that its manifest says");
    }
  }
}

}  // namespace sftpd::admin::rebuild
