// Messages with descriptors: sendmsg(2), recvmsg(2), SCM_RIGHTS on SOCK_SEQPACKET (Linux 2.6.4), which keeps message borders and tells
// when the peer is gone. Not for bulk data: a message is copied whole and limited to 128 KiB.
#include "message.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "last_error.h"

namespace drover {

namespace {
union Control {
  struct cmsghdr align;
  char bytes[CMSG_SPACE(sizeof(int) * kMaxMessageFds)];
};
}  // namespace

int socketPair(Fd& one, Fd& other) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return lastError();
  one.reset(ends[0]);
  other.reset(ends[1]);
  return 0;
}

int prepareEnd(int socket) {
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) != 0) return lastError();
  if (type != SOCK_SEQPACKET) return -EPROTOTYPE;
  const int flags = fcntl(socket, F_GETFL);
  if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0) return lastError();
  if (fcntl(socket, F_SETFD, FD_CLOEXEC) != 0) return lastError();
  // The kernel doubles the value for its own book-keeping and cuts it at net.core.wmem_max; what it grants is enough for one
  // message everywhere but where wmem_max was lowered, and then send says -EMSGSIZE.
  const int bytes = 2 * static_cast<int>(kMaxMessageBytes);
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  return 0;
}

int sendMessage(int socket, std::string_view text, std::span<const int> fds) {
  // An empty message could not be told from the end.
  if (text.empty()) return -EINVAL;
  if (text.size() > kMaxMessageBytes) return -EMSGSIZE;
  if (fds.size() > kMaxMessageFds) return -EINVAL;
  struct iovec part = {const_cast<char*>(text.data()), text.size()};
  struct msghdr header {};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  Control control;
  if (!fds.empty()) {
    memset(&control, 0, CMSG_SPACE(fds.size_bytes()));
    header.msg_control = control.bytes;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    struct cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size_bytes());
    memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  }
  for (;;) {
    if (sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
    switch (errno) {
      case EINTR:
        continue;
      // All of them: the peer has closed. ECONNRESET says that it did so with messages of ours unread, and comes once.
      case ECONNRESET:
      case ECONNREFUSED:
      case ENOTCONN:
      case EPIPE:
        return -EPIPE;
      default:
        return lastError();
    }
  }
}

int receiveMessage(int socket, std::span<char> buffer, Message& message) {
  message.fds.clear();
  struct iovec part = {buffer.data(), buffer.size()};
  Control control;
  struct msghdr header {};
  ssize_t bytes = 0;
  for (;;) {
    header = {};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    bytes = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (bytes >= 0) break;
    // ECONNRESET: the peer died with messages of ours unread. It is told once, before what the peer had sent, and those last words
    // are the ones that matter: read on, to them and then to the end.
    if (errno != EINTR && errno != ECONNRESET) return lastError();
  }
  for (struct cmsghdr* part_ = CMSG_FIRSTHDR(&header); part_ != nullptr; part_ = CMSG_NXTHDR(&header, part_)) {
    if (part_->cmsg_level != SOL_SOCKET || part_->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part_->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(part_) + i * sizeof fd, sizeof fd);
      message.fds.emplace_back(fd);
    }
  }
  message.text = {buffer.data(), static_cast<size_t>(bytes)};
  if (bytes == 0) return 0;
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    message.fds.clear();
    return -EMSGSIZE;
  }
  // Our buffer holds all the kernel lets anybody send: descriptors are missing because this process may not open more. Some are as good as none.
  if ((header.msg_flags & MSG_CTRUNC) != 0) message.fds.clear();
  return 1;
}

}  // namespace drover
