// EPOLLEXCLUSIVE in libuv's epoll set. See exclusive.cc.
#pragma once

#include <napi.h>

namespace drover {

// Take `fd` out of the set and put it in again, exclusively: also the way to the end of the row of waiters.
// 0; -ENOENT: the set does not have it (yet), nothing was changed; -errno: refused, and it is in the set as libuv had put it.
int registerExclusive(int epoll, int fd);
// Its two halves, for a registration that is exclusive already and shall rest. 0 or -errno.
int unregister(int epoll, int fd);
int addExclusive(int epoll, int fd);

// Whether the kernel has it: 0 or -errno.
Napi::Value ExclusiveWorks(const Napi::CallbackInfo& info);

}  // namespace drover
