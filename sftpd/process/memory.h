#pragma once

namespace sftpd::process {

/// Tells the C library to give large blocks back at once and to keep few arenas: a server with
/// hundreds of connection threads would else hold what each of them once needed.
void return_memory_early();

}  // namespace sftpd::process
