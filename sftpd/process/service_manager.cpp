#include "sftpd/process/service_manager.h"

#ifdef SHOEBOX_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

namespace sftpd::process {

#ifdef SHOEBOX_SYSTEMD
void notify_ready() { ::sd_notify(0, "READY=1"); }
void notify_stopping() { ::sd_notify(0, "STOPPING=1"); }
#else
void notify_ready() {}
void notify_stopping() {}
#endif

}  // namespace sftpd::process
