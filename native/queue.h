// The accept queue of a listening socket. See queue.cc.
#pragma once

#include <cstdint>

namespace drover {

struct QueueLength {
  unsigned length;
  unsigned limit;
};

int queueLength(int fd, QueueLength& queue);
bool isWaiting(int fd);
int isListening(int fd);
int listenDrops(int fd, uint32_t& drops);

}  // namespace drover
