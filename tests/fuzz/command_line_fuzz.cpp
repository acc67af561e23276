// A command line: an open quote, or words that hold no more bytes than the line.

#include <cstddef>
#include <cstdint>

#include "sftpd/exec/exec_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const auto words = sftpd::exec::split_words({reinterpret_cast<const char*>(bytes), size});
  std::size_t total = 0;
  if (words) {
    for (const auto& word : *words) total += word.size();
  }
  if (total > size) __builtin_trap();
  return 0;
}
