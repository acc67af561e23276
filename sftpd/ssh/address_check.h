#pragma once

#include <chrono>
#include <string>

namespace sftpd::ssh {

/// Tries to listen on `text`, for a moment. Returns in a word or two what was found: that it is
/// free, or that a Shoebox which runs has it, which is asked for its banner for `patience` at most.
/// Throws std::runtime_error that says what is wrong and how to mend it.
std::string try_address(const std::string& text,
                        std::chrono::milliseconds patience = std::chrono::seconds(2));

}  // namespace sftpd::ssh
