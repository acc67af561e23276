#include "sftpd/jobs/exports/manifest.h"

#include <fmt/format.h>

#include <sstream>
#include <stdexcept>

#include "sftpd/vfs/content/hash.h"

namespace sftpd::jobs {
namespace {

constexpr std::string_view first_words = "shoebox-metadata-export";
constexpr std::string_view format_version = "1";
constexpr std::string_view last_word = "sha256 ";

std::runtime_error damaged() { return std::runtime_error("the manifest is damaged"); }

/// The text before the last line, which must be the hash of it.
std::string verified(const std::string& text) {
  const auto last = text.rfind(last_word);
  if (last == std::string::npos || last == 0 || text[last - 1] != '\n') throw damaged();
  const std::string before = text.substr(0, last);
  if (text.substr(last) != fmt::format("{}{}\n", last_word, sha256_hex(before))) throw damaged();
  return before;
}

void expect_format(std::istream& lines) {
  std::string word, version;
  lines >> word >> version;
  if (word != first_words) throw damaged();
  if (version != format_version) {
    throw std::runtime_error("the export has a newer format: use a newer version of Shoebox");
  }
}

/// What later programs add is for them.
void read_line(std::istream& words, Manifest& into) {
  std::string what;
  words >> what;
  if (what == "time") {
    words >> into.time;
  } else if (what == "program") {
    words >> into.program;
  } else if (what == "schema") {
    words >> into.head.schema;
  } else if (what == "database") {
    words >> into.head.database;
  } else if (what == "sequence") {
    auto& sequence = into.head.sequences.emplace_back();
    words >> sequence.table >> sequence.last;
  } else if (what == "file") {
    auto& file = into.files.emplace_back();
    words >> file.table >> file.name >> file.rows >> file.size_bytes >> file.sha256;
  }
  if (!words) throw damaged();
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  return vfs::hexadecimal(vfs::sha256_of(std::as_bytes(std::span(bytes))));
}

std::uint64_t Manifest::rows() const {
  std::uint64_t sum = 0;
  for (const ExportedFile& file : files) sum += file.rows;
  return sum;
}

std::uint64_t Manifest::size_bytes() const {
  std::uint64_t sum = 0;
  for (const ExportedFile& file : files) sum += file.size_bytes;
  return sum;
}

std::uint64_t Manifest::rows_of(std::string_view table) const {
  std::uint64_t sum = 0;
  for (const ExportedFile& file : files) sum += file.table == table ? file.rows : 0;
  return sum;
}

std::string Manifest::text() const {
  std::string text =
      fmt::format("{} {}\ntime {}\nprogram {}\nschema {}\ndatabase {}\n", first_words,
                  format_version, time, program, head.schema, head.database);
  for (const auto& [table, last] : head.sequences) {
    text += fmt::format("sequence {} {}\n", table, last);
  }
  for (const ExportedFile& file : files) {
    text += fmt::format("file {} {} {} {} {}\n", file.table, file.name, file.rows, file.size_bytes,
                        file.sha256);
  }
  return text + fmt::format("{}{}\n", last_word, sha256_hex(text));
}

Manifest Manifest::parse(const std::string& text) {
  std::istringstream lines(verified(text));
  expect_format(lines);
  Manifest manifest;
  std::string line;
  std::getline(lines, line);  // What is left of the first one.
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    read_line(words, manifest);
  }
  if (manifest.head.schema.empty() || manifest.head.database.empty()) throw damaged();
  return manifest;
}

}  // namespace sftpd::jobs
