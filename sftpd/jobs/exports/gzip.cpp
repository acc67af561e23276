#include "sftpd/jobs/exports/gzip.h"

#include <array>
#include <new>
#include <stdexcept>
#include <utility>

namespace sftpd::jobs {
namespace {

constexpr int gzip_format = 15 + 16;  // zlib.h: the largest window, and a gzip header around it
constexpr int memory_level = 8;       // zlib.h: its default
constexpr std::size_t piece = 64 << 10;

/// zlib does not write where it reads from, though its type says so.
Bytef* input(const void* bytes) { return static_cast<Bytef*>(const_cast<void*>(bytes)); }

}  // namespace

GzipWriter::GzipWriter() {
  if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_format, memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}

GzipWriter::~GzipWriter() { deflateEnd(&stream_); }

void GzipWriter::add(std::string_view text) { run(text, Z_NO_FLUSH); }

std::vector<std::byte> GzipWriter::finish() {
  run({}, Z_FINISH);
  deflateReset(&stream_);
  return std::exchange(file_, {});
}

void GzipWriter::run(std::string_view text, int flush) {
  std::array<std::byte, piece> buffer;
  stream_.next_in = input(text.data());
  stream_.avail_in = static_cast<uInt>(text.size());
  do {
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    deflate(&stream_, flush);
    file_.insert(file_.end(), buffer.begin(), buffer.end() - stream_.avail_out);
  } while (stream_.avail_out == 0);
}

GzipReader::GzipReader() {
  if (inflateInit2(&stream_, gzip_format) != Z_OK) throw std::bad_alloc();
}

GzipReader::~GzipReader() { inflateEnd(&stream_); }

void GzipReader::add(std::span<const std::byte> bytes, const Take& take) {
  std::array<char, piece> buffer;
  stream_.next_in = input(bytes.data());
  stream_.avail_in = static_cast<uInt>(bytes.size());
  do {
    if (ended_ && stream_.avail_in > 0) throw std::runtime_error("bytes behind the file's end");
    stream_.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_.avail_out = static_cast<uInt>(buffer.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      throw std::runtime_error("this is no gzip file, or it is damaged");
    }
    ended_ = ended_ || result == Z_STREAM_END;
    if (stream_.avail_out < buffer.size()) {
      take({buffer.data(), buffer.size() - stream_.avail_out});
    }
  } while (stream_.avail_out == 0 || stream_.avail_in > 0);
}

}  // namespace sftpd::jobs
