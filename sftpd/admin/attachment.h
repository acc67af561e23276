#pragma once

#include <string>

namespace sftpd::admin {

/// A Content-Disposition that lets a browser save what it gets under this name (RFC 6266): the name
/// itself in UTF-8 (RFC 8187), and for old browsers with '_' for what is not plain ASCII.
std::string attachment_named(const std::string& name);

}  // namespace sftpd::admin
