#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "storage/s3/ranged_read.h"
#include "storage/s3/xml.h"

// Whatever a store or something between sends must be an answer or none, never a crash. What was
// parsed must also survive being written and read again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace storage::s3;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  parse_error(text);
  parse_created_upload(text);
  parse_completed_upload(text);
  parse_copied_part(text);
  parse_listed_keys(text);
  parse_listed_uploads(text);
  parse_iso_time(text);
  parse_content_range(text);
  if (const auto listed = parse_listed_parts(text)) {
    const std::string written = write_complete_upload(listed->parts);
    if (parse_error(written)) std::abort();
  }
  return 0;
}
