#include "sftpd/vfs/writing/object_labels.h"

#include <fmt/chrono.h>

#include <ctime>

namespace sftpd::vfs {

storage::PutOptions labels_of(const ReservedObject& object, metadata::AccountId account,
                              metadata::NodeId node, const std::string& mime) {
  storage::PutOptions options;
  if (!mime.empty()) options.content_type = mime;
  options.user_metadata = {
      {"oid", std::to_string(object.id.value)},
      {"account", std::to_string(account.value)},
      {"node", std::to_string(node.value)},
      {"created", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}};
  return options;
}

}  // namespace sftpd::vfs
