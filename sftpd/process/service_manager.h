#pragma once

namespace sftpd::process {

/// Tells systemd, if it started this process and waits to be told (Type=notify).
void notify_ready();
void notify_stopping();

}  // namespace sftpd::process
