// The accept queue of a listening socket. See queue.cc.
#pragma once

#include <napi.h>

#include <cstdint>

namespace drover {

struct QueueLength {
  unsigned length;
  unsigned limit;
};

int queueLength(int fd, QueueLength& queue);
int isListening(int fd);
int listenDrops(int fd, uint32_t& drops);

Napi::Value QueueLengthOf(const Napi::CallbackInfo& info);
Napi::Value ListenDrops(const Napi::CallbackInfo& info);
Napi::Value IsListening(const Napi::CallbackInfo& info);

}  // namespace drover
