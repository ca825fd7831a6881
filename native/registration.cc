// The registration of a listening socket: EPOLLEXCLUSIVE by swapping libuv's (exclusive.cc). libuv adds a descriptor in the poll phase after uv_poll_start, so
// the swap waits for the uv_check that follows. Where the kernel refuses, it stays libuv's plain one; and where it refuses that too (ENOMEM, or ENOSPC at
// fs.epoll.max_user_watches), it is aside, and tried again from there.
//
// Leaving and coming back go behind libuv's back, with one system call each: libuv takes the handle for active all the time.
#include "registration.h"

#include <cerrno>

#include "exclusive.h"

namespace drover {

namespace {
// Turns to wait for libuv to register a descriptor; it takes one or two.
constexpr int kSwapTurns = 16;
}  // namespace

void Registration::begin(bool exclusive) {
  state_ = exclusive ? State::kToSwap : State::kPlain;
  swapTurns_ = 0;
}

bool Registration::swap(int epoll, int fd) {
  const int status = unregister(epoll, fd);
  if (status == -ENOENT && ++swapTurns_ < kSwapTurns) return false;
  state_ = status == 0 ? addAgain(epoll, fd) : State::kPlain;
  return true;
}

void Registration::goToEndOfRow(int epoll, int fd) {
  if (state_ != State::kExclusive) return;
  state_ = unregister(epoll, fd) == 0 ? addAgain(epoll, fd) : State::kPlain;
}

Registration::State Registration::addAgain(int epoll, int fd) {
  if (addExclusive(epoll, fd) == 0) return State::kExclusive;
  return addPlain(epoll, fd) == 0 ? State::kPlain : State::kAside;
}

bool Registration::leave(int epoll, int fd, State state) {
  if (state_ != State::kExclusive || unregister(epoll, fd) != 0) return false;
  state_ = state;
  return true;
}

bool Registration::hold(int epoll, int fd) {
  if (state_ != State::kAside) return leave(epoll, fd, State::kHeld);
  state_ = State::kHeld;
  return true;
}

bool Registration::comeBack(int epoll, int fd) {
  if (addExclusive(epoll, fd) != 0) return false;
  state_ = State::kExclusive;
  return true;
}

}  // namespace drover
