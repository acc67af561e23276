#pragma once

#include <filesystem>

namespace contracts {

/// Writes a new key and a certificate for 127.0.0.1, signed by itself and good for an hour, as
/// PEM files.
void write_tls_certificate(const std::filesystem::path& certificate,
                           const std::filesystem::path& key);

}  // namespace contracts
