#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "sftpd/vfs/open_directory.h"
#include "sftpd/vfs/open_file/file_handle.h"

namespace sftpd::sftp {

/// A file that a client has open. Shared with the requests on it that are still under way.
struct OpenedFile {
  std::unique_ptr<vfs::FileHandle> file;
  std::chrono::steady_clock::time_point opened_at;
};

struct OpenedDirectory {
  std::unique_ptr<vfs::OpenDirectory> directory;
  std::string path;
};

/// The handles of one session: four bytes each. They are counted up from a random number, so a
/// closed one is not given out again until four thousand million later ones were.
class HandleTable {
 public:
  using Opened = std::variant<std::shared_ptr<OpenedFile>, std::shared_ptr<OpenedDirectory>>;

  HandleTable(std::size_t handles_max, std::uint32_t first)
      : handles_max_(handles_max), next_(first) {}

  /// Throws Refused if the session has as many as it may. Asked before something is opened, so that
  /// nothing is created in vain.
  void expect_room() const;

  std::string add(Opened opened);

  /// These throw Refused if the client never got such a handle, gave it back, or got it for
  /// something else. The references are good until the handle is taken out.
  const std::shared_ptr<OpenedFile>& file(std::string_view handle) const;
  OpenedDirectory& directory(std::string_view handle) const;
  const Opened& any(std::string_view handle) const;
  /// The path by which it was opened.
  const std::string& path(std::string_view handle) const;

  Opened take(std::string_view handle);

  /// Every file that is open.
  std::vector<std::shared_ptr<OpenedFile>> files() const;

 private:
  std::size_t handles_max_;
  std::uint32_t next_;
  std::unordered_map<std::uint32_t, Opened> opened_;
};

}  // namespace sftpd::sftp
