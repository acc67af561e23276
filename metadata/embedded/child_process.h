#pragma once

#include <sys/types.h>

#include <stop_token>
#include <string>
#include <vector>

namespace metadata {

/// Whom a child process runs as.
struct Identity {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string name;
  bool differs = false;  ///< from us: the child must change to it (only root can)
};

/// PostgreSQL refuses to run as root. So: ourselves, unless we are root; then the owner of `data`
/// if that exists, else the user `postgres`, else `nobody`. Throws Error.
Identity identity_for(const std::string& data);

/// Starts `command` (an absolute path and its arguments) in a session of its own, so that a
/// terminal's Ctrl-C does not reach it, with `output` as its standard output and error, `folder` as
/// its descriptor 3, and no other descriptor of ours. `death_signal`: what it gets when the calling
/// thread ends; 0: nothing.
/// The caller must wait for it. Throws Error if there is no process to be had.
pid_t launch(const std::vector<std::string>& command, const Identity& identity, int output,
             int folder, int death_signal);

/// How such a child names its `folder`, even if it may not enter a folder above it.
inline constexpr char passed_folder[] = "/proc/self/fd/3";

/// Waits for a child; what waitpid() says, or -1 if it cannot tell.
int wait_for(pid_t child);
/// The same for a child of launch(), which is ended with all its children when `stop` is requested:
/// politely, then after a second at once.
int wait_for(pid_t child, const std::stop_token& stop);

/// The first of `folders` that `identity` may not enter; empty if it may enter all.
std::string first_closed_folder(const std::vector<std::string>& folders, const Identity& identity);

}  // namespace metadata
