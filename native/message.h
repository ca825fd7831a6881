// One message with descriptors on a SOCK_SEQPACKET socket. See message.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fd.h"

namespace drover {

// As MAX_MESSAGE_BYTES in src/native.ts.
constexpr size_t kMaxMessageBytes = 128 * 1024;
// The kernel's limit per message (SCM_MAX_FD).
constexpr size_t kMaxMessageFds = 253;

// Where messages land; pages are touched only as far as a message reaches.
class ReceiveBuffer {
 public:
  std::span<char> bytes() {
    if (bytes_ == nullptr) bytes_ = std::make_unique_for_overwrite<char[]>(kMaxMessageBytes);
    return {bytes_.get(), kMaxMessageBytes};
  }

 private:
  std::unique_ptr<char[]> bytes_;
};

struct Message {
  std::string_view text;
  std::vector<Fd> fds;
};

// A connected pair, close-on-exec and non-blocking: 0 or -errno.
int socketPair(Fd& one, Fd& other);
// Make an inherited end fit for us: non-blocking, close-on-exec, room for the largest message. 0 or -errno (-EPROTOTYPE: another type of socket).
int prepareEnd(int socket);
// 0; -EAGAIN: no room now; -EPIPE: the peer is gone; -errno.
int sendMessage(int socket, std::string_view text, std::span<const int> fds);
// 1: a message, its text in `buffer`, without its descriptors when this process may not open so many; 0: the peer is gone and all it sent has been
// read; -EAGAIN: nothing now; -errno: the text was cut (-EMSGSIZE), or the socket broke.
int receiveMessage(int socket, std::span<char> buffer, Message& message);

}  // namespace drover
