#include "sftpd/ssh/handles.h"

#include <unistd.h>

namespace sftpd::ssh {

void FileDescriptor::reset() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

}  // namespace sftpd::ssh
