#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/dump/dump_reader.h"

namespace sftpd::jobs {

/// One file of an export: rows of one table, a line of JSON each, compressed by gzip.
struct ExportedFile {
  std::string table;
  std::string name;  ///< its key, without the directory that it shares with the manifest
  std::uint64_t rows = 0;
  std::uint64_t size_bytes = 0;  ///< as it is stored, and so is the hash
  std::string sha256;            ///< in lower-case hexadecimal digits
};

/// What an export consists of. Its text is lines of words, the last of which is the hash of all
/// before it; docs/adr/0014 describes it.
struct Manifest {
  std::string time;     ///< UTC, ISO 8601
  std::string program;  ///< version of Shoebox
  metadata::DumpHead head;
  std::vector<ExportedFile> files;

  std::uint64_t rows() const;
  std::uint64_t size_bytes() const;
  std::uint64_t rows_of(std::string_view table) const;

  std::string text() const;
  /// Throws std::runtime_error, with a reason for people: damaged, or of a newer format.
  static Manifest parse(const std::string& text);
};

/// Of its bytes, in lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace sftpd::jobs
