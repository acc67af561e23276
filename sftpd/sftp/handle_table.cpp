#include "sftpd/sftp/handle_table.h"

#include <optional>

#include "sftpd/sftp/packet_reader.h"
#include "sftpd/sftp/packet_writer.h"
#include "sftpd/sftp/status.h"

namespace sftpd::sftp {
namespace {

[[noreturn]] void refuse() { throw Refused(SSH_FX_FAILURE, "Invalid handle"); }

/// The number a handle's bytes spell, if they could be one of ours.
std::optional<std::uint32_t> number_of(std::string_view handle) {
  if (handle.size() != sizeof(std::uint32_t)) return {};
  std::uint32_t number = 0;
  for (char byte : handle) number = (number << 8) | static_cast<std::uint8_t>(byte);
  return number;
}

std::string bytes_of(std::uint32_t number) {
  PacketWriter writer;
  writer.write_u32(number);
  return std::move(writer).body();
}

}  // namespace

void HandleTable::expect_room() const {
  if (opened_.size() >= handles_max_) throw Refused(SSH_FX_FAILURE, "Too many open handles");
}

std::string HandleTable::add(Opened opened) {
  expect_room();
  while (opened_.contains(next_)) ++next_;
  const std::uint32_t number = next_++;
  opened_.emplace(number, std::move(opened));
  return bytes_of(number);
}

const HandleTable::Opened& HandleTable::any(std::string_view handle) const {
  const auto number = number_of(handle);
  const auto found = number ? opened_.find(*number) : opened_.end();
  if (found == opened_.end()) refuse();
  return found->second;
}

const std::shared_ptr<OpenedFile>& HandleTable::file(std::string_view handle) const {
  const auto* file = std::get_if<std::shared_ptr<OpenedFile>>(&any(handle));
  if (file == nullptr) refuse();
  return *file;
}

OpenedDirectory& HandleTable::directory(std::string_view handle) const {
  const auto* directory = std::get_if<std::shared_ptr<OpenedDirectory>>(&any(handle));
  if (directory == nullptr) refuse();
  return **directory;
}

const std::string& HandleTable::path(std::string_view handle) const {
  const Opened& opened = any(handle);
  if (const auto* file = std::get_if<std::shared_ptr<OpenedFile>>(&opened)) {
    return (*file)->file->path();
  }
  return std::get<std::shared_ptr<OpenedDirectory>>(opened)->path;
}

HandleTable::Opened HandleTable::take(std::string_view handle) {
  Opened opened = any(handle);
  opened_.erase(*number_of(handle));
  return opened;
}

std::vector<std::shared_ptr<OpenedFile>> HandleTable::files() const {
  std::vector<std::shared_ptr<OpenedFile>> files;
  for (const auto& [number, opened] : opened_) {
    if (const auto* file = std::get_if<std::shared_ptr<OpenedFile>>(&opened)) {
      files.push_back(*file);
    }
  }
  return files;
}

}  // namespace sftpd::sftp
