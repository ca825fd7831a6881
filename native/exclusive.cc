// EPOLLEXCLUSIVE (Linux 4.5): of the epoll sets that wait for one socket, a connection wakes the first whose process sleeps in epoll_wait, not all.
// The waiters are a row in the order of EPOLL_CTL_ADD; a set that is not waited on is passed over. Where the kernel refuses it (a descriptor
// that is itself an epoll set, an older kernel), the plain registration stays: all are woken.
//
// libuv knows nothing of it: we swap the registration that uv_poll_start has made, with the same data (libuv 1.x: data.fd = fd) and the same events.
// Such a registration can't be modified (EPOLL_CTL_MOD: EINVAL, and libuv aborts), so the handle's events never change: it is
// stopped (EPOLL_CTL_DEL, which is allowed) and started anew. Never edge-triggered: a connection that wakes somebody who does not accept it would be stranded.
#include "exclusive.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cstdint>

#include "fd.h"
#include "result.h"

namespace drover {

int unregister(int epoll, int fd) {
  struct epoll_event event {};
  return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event) == 0 ? 0 : lastError();
}

namespace {
int add(int epoll, int fd, uint32_t events) {
  struct epoll_event event {};
  event.data.fd = fd;
  event.events = events;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : lastError();
}
}  // namespace

int addExclusive(int epoll, int fd) { return add(epoll, fd, EPOLLIN | EPOLLEXCLUSIVE); }
int addPlain(int epoll, int fd) { return add(epoll, fd, EPOLLIN); }

Napi::Value ExclusiveWorks(const Napi::CallbackInfo& info) {
  const Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return result(info.Env(), lastError());
  const Fd watched(eventfd(0, EFD_CLOEXEC));
  if (!watched.valid()) return result(info.Env(), lastError());
  return result(info.Env(), addExclusive(epoll.get(), watched.get()));
}

}  // namespace drover
