// EPOLLEXCLUSIVE in libuv's epoll set. See exclusive.cc.
#pragma once

#include <napi.h>

namespace drover {

// 0 or -errno. `addPlain`: as libuv does it.
int unregister(int epoll, int fd);
int addExclusive(int epoll, int fd);
int addPlain(int epoll, int fd);

// Whether the kernel has it: 0 or -errno.
Napi::Value ExclusiveWorks(const Napi::CallbackInfo& info);

}  // namespace drover
