#include "sftpd/admin/context.h"

namespace sftpd::admin {

const Options& Context::options() {
  if (!options_) options_ = load_(config_file_);
  return *options_;
}

Backends& Context::backends() {
  if (!backends_) backends_ = std::make_unique<Backends>(options().backends);
  return *backends_;
}

}  // namespace sftpd::admin
