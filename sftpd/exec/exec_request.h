#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sftpd::exec {

/// A command line as the words a POSIX shell would make of it: split at blanks, quotes and
/// backslashes taken away. Nothing is expanded, and ; | & < > are letters like others: there is no
/// shell here. Empty if a quote is left open.
std::optional<std::vector<std::string>> split_words(std::string_view line);

/// "sftp-server" of "/usr/lib/openssh/sftp-server".
std::string_view last_component(std::string_view path);

}  // namespace sftpd::exec
