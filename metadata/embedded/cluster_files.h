#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "metadata/embedded/child_process.h"

namespace metadata {

/// 15 of "15.8"; 0 of what does not begin with a number.
int leading_number(std::string_view text);

/// What PostgreSQL notes about itself while it runs (data/postmaster.pid).
struct PostmasterFile {
  pid_t pid = 0;
  std::string socket_directory;
  bool ready = false;
};
std::optional<PostmasterFile> read_postmaster_file(const std::string& data);

/// The major version of the cluster in `data`; 0 if there is none.
int cluster_version(const std::string& data);

/// Processes named postgres that work in `data`: a server, or what an ended one left behind.
std::vector<pid_t> processes_in(const std::string& data);

/// Makes the folder, or checks that it is one, with this mode and owner. Throws Error.
void make_folder(const std::string& path, unsigned mode, const Identity& owner);

/// Replaces a file in one step.
void write_file(const std::string& path, const std::string& text);
std::string read_file(const std::string& path);

/// Where the server's socket goes: `directory`/socket, or, where that is too long a path for a
/// socket (107 bytes, unix(7)), a new private folder in /run, $XDG_RUNTIME_DIR or /tmp, noted in
/// `directory`. Ends with an empty folder that only `owner` and root can enter. `before`: where it
/// was, may be empty; such a new folder gets that name again if it can, since who connects goes on
/// using it.
std::string make_socket_directory(const std::string& directory, const Identity& owner,
                                  const std::string& before);

/// Removes such a folder, and the note, if there is one.
void remove_socket_directory(const std::string& directory, const Identity& owner);

/// Settings for a small machine with nobody but us on it; `local.conf` beside it wins.
std::string configuration(const std::string& directory, const std::string& socket_directory,
                          int connections_max, bool durable);

/// Who may connect: processes of these users, as the kernel tells, and only on the socket.
std::string access_rules();
std::string user_map(const std::vector<std::string>& names);

}  // namespace metadata
