#include "sftpd/vfs/open_file/file_handle.h"

#include <algorithm>
#include <limits>

#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/open_file/open_file.h"
#include "sftpd/vfs/reading/reader.h"

namespace sftpd::vfs {

namespace {

constexpr std::uint64_t offset_max = std::numeric_limits<std::int64_t>::max();

template <class T>
storage::Future<T> failed(ErrorCode code, const char* message) {
  return storage::failed_future<T>(std::make_exception_ptr(Error(code, message)));
}

}  // namespace

FileHandle::FileHandle(FileSystem& files, std::shared_ptr<OpenFile> file, OpenFlags flags,
                       std::string path)
    : file_(std::move(file)), flags_(flags), path_(std::move(path)) {
  if (flags_.read) reader_ = std::make_shared<Reader>(files.cache());
  if (flags_.write) file_->writer_came();
}

FileHandle::~FileHandle() {
  if (!closed_ && flags_.write) file_->drop_writer(flags_);
}

storage::Future<storage::Payload> FileHandle::read(std::uint64_t offset, std::uint32_t length) {
  if (!flags_.read) return failed<storage::Payload>(ErrorCode::bad_handle, "not open for reading");
  if (offset > offset_max - length) return storage::ready_future(storage::Payload());
  const std::uint64_t size = file_->attributes().size;
  if (offset < size) totals_.bytes_read += std::min<std::uint64_t>(length, size - offset);
  const auto after_failure =
      flags_.write ? OpenFile::AfterFailure::fails : OpenFile::AfterFailure::is_committed_content;
  return file_->read(reader_, offset, length, after_failure);
}

storage::Future<void> FileHandle::write(std::uint64_t offset, storage::Payload bytes) {
  if (!flags_.write) return failed<void>(ErrorCode::bad_handle, "not open for writing");
  if (bytes.size() > file_size_max || offset > file_size_max - bytes.size()) {
    return failed<void>(ErrorCode::file_too_large, "beyond the largest file");
  }
  totals_.bytes_written += bytes.size();
  return file_->write(flags_, offset, std::move(bytes));
}

Attributes FileHandle::attributes() { return file_->attributes(); }

storage::Future<void> FileHandle::set_attributes(const AttributeChanges& changes) {
  if (changes.size && !flags_.write) {
    return failed<void>(ErrorCode::bad_handle, "not open for writing");
  }
  if (changes.size && *changes.size > file_size_max) {
    return failed<void>(ErrorCode::file_too_large, "beyond the largest file");
  }
  return file_->set_attributes(changes);
}

storage::Future<void> FileHandle::sync() {
  return flags_.write ? file_->sync() : storage::ready_future();
}

storage::Future<void> FileHandle::close() {
  closed_ = true;
  return flags_.write ? file_->close_writer() : storage::ready_future();
}

storage::Future<void> FileHandle::copy_to(std::uint64_t offset, std::uint64_t length,
                                          FileHandle& target, std::uint64_t target_offset) {
  if (!flags_.read || !target.flags_.write) {
    return failed<void>(ErrorCode::bad_handle, "not open for copying");
  }
  if (length > offset_max || offset > offset_max - length || target_offset > file_size_max) {
    return failed<void>(ErrorCode::file_too_large, "beyond the largest file");
  }
  const auto place = target.flags_.append ? std::nullopt : std::optional(target_offset);
  return target.file_->copy_from(file_, offset, length, place);
}

}  // namespace sftpd::vfs
