#pragma once

#include <cstdint>
#include <string>

namespace sftpd::admin {

/// A password that nobody has had before: 20 letters and digits in groups of five, without those
/// that look alike, about 99 bits.
std::string generate_password();

/// The first line of standard input. Throws Failure where it is empty or no password.
std::string read_password_from_stdin();

/// Asks twice without echo; empty when the answer was. Throws Failure when the two differ.
std::string ask_password(const std::string& question);

/// Whether a person sits at standard input and output.
bool is_interactive();

/// Asks for "yes".
bool confirm(const std::string& question);

/// "10.0 GiB", "512 B".
std::string readable_size(std::uint64_t bytes);

}  // namespace sftpd::admin
