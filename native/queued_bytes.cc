// Bytes of a connection's send queue (SIOCOUTQ, since Linux 2.2): of TCP what the peer's kernel has not acknowledged, sent or not; of a unix socket the memory
// of what the peer has not read, which is more than the bytes in it, and which goes by whole buffers of up to 32 KiB. The same 0 and the same standstill in both.
// -ENOTTY for what is no socket, -EINVAL for one that listens.
#include "queued_bytes.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "args.h"
#include "result.h"

namespace drover {

int queuedBytes(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : lastError();
}

Napi::Value QueuedBytes(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  return result(info.Env(), args.valid() ? queuedBytes(fd) : -EINVAL);
}

}  // namespace drover
