// send(2) with MSG_DONTWAIT (Linux 2.2): what a socket has room for, and -EAGAIN where it has none, whether or not its description blocks. For a description that
// is shared with other processes, whose flags are theirs as well, and of a kind that cannot be opened anew. -ENOTSOCK for what is no socket.
#include "send_now.h"

#include <sys/socket.h>

#include <cerrno>

#include "args.h"
#include "last_error.h"
#include "result.h"

namespace drover {

int sendNow(int socket, std::span<const std::byte> bytes) {
  ssize_t sent;
  do {
    sent = send(socket, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? lastError() : static_cast<int>(sent);
}

Napi::Value SendNow(const Napi::CallbackInfo& info) {
  Args args(info);
  const int socket = args.integer(0);
  const std::span<std::byte> bytes = args.bytes(1);
  return result(info.Env(), args.valid() ? sendNow(socket, bytes) : -EINVAL);
}

}  // namespace drover
