// The listening sockets of an acceptor in the loop's epoll set, and what their comings and goings need of later turns of the loop. How one socket stands in it, and the
// system calls: registration.cc. Which sockets are to be polled, and when, is the acceptor's to say.
//
// - EPOLLEXCLUSIVE by swapping libuv's registration in the uv_check after it was made; an idle handle makes that turn come at once.
// - Who steps aside on a socket is off the row of it, so that the owner stands before it, and looks again every kAsideMs. One that dies aside: rescue.cc.
// - Who is full leaves at once, behind libuv's back, so that being full and not costs one system call per socket each; coming back finds what waits, since adding
//   a registration looks at the queue. An event of the same batch may still come after it.
// - Descriptors leave the set before they are closed: others hold the same open file, and the kernel would keep reporting it.
#include "poll_set.h"

#include <algorithm>
#include <cstdint>

#include "acceptor_socket.h"
#include "clock.h"
#include "theft.h"

namespace drover {

int PollSet::open() {
  return std::min({
      swapCheck_.open(handles_, this, uv_check_init),
      swapIdle_.open(handles_, this, uv_idle_init),
      asideTimer_.open(handles_, this, uv_timer_init),
  });
}

void PollSet::close() {
  swapCheck_.close();
  swapIdle_.close();
  asideTimer_.close();
}

int PollSet::add(AcceptorSocket& socket, int fd) {
  return socket.poll.open(handles_, &socket, [fd](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, fd); });
}

// Closing the handle takes the descriptor out of the epoll set at once.
void PollSet::remove(AcceptorSocket& socket) { socket.poll.close(); }

void PollSet::start(AcceptorSocket& socket) {
  uv_poll_start(socket.poll.get(), UV_READABLE, onReady_);
  socket.registration.begin(socket.options.exclusive);
  if (!socket.options.exclusive) return;
  uv_check_start(swapCheck_.get(), [](uv_check_t* handle) { static_cast<PollSet*>(handle->data)->swapRegistrations(); });
  uv_idle_start(swapIdle_.get(), [](uv_idle_t*) {});
}

void PollSet::stop(AcceptorSocket& socket) {
  uv_poll_stop(socket.poll.get());
  socket.registration.end();
}

void PollSet::swapRegistrations() {
  bool waiting = false;
  for (const auto& socket : sockets_) {
    waiting |= socket->registration.awaitsSwap() && !socket->registration.swap(epoll(), socket->fd.get());
    if (socket->registration.isAside()) watchAside();
  }
  if (waiting) return;
  uv_check_stop(swapCheck_.get());
  uv_idle_stop(swapIdle_.get());
}

void PollSet::goToEndOfRow(AcceptorSocket& socket) {
  socket.registration.goToEndOfRow(epoll(), socket.fd.get());
  if (socket.registration.isAside()) watchAside();
}

void PollSet::hold(AcceptorSocket& socket) {
  if (!socket.registration.hold(epoll(), socket.fd.get())) stop(socket);
}

bool PollSet::comeBack(AcceptorSocket& socket) { return socket.registration.isHeld() && socket.registration.comeBack(epoll(), socket.fd.get()); }

void PollSet::stepAside(AcceptorSocket& socket) {
  if (socket.registration.stepAside(epoll(), socket.fd.get())) watchAside();
}

void PollSet::watchAside() {
  if (uv_is_active(asideTimer_.generic())) return;
  uv_timer_start(asideTimer_.get(), [](uv_timer_t* timer) { static_cast<PollSet*>(timer->data)->lookAside(); }, kAsideMs, kAsideMs);
}

// Back into the row where nothing waits or we may take it: adding a registration looks at the queue.
void PollSet::lookAside() {
  bool aside = false;
  const uint64_t now = monotonicNow();
  for (const auto& socket : sockets_) {
    if (!socket->registration.isAside()) continue;
    aside |= !mayComeBack_(*socket, now) || !socket->registration.comeBack(epoll(), socket->fd.get());
  }
  if (!aside) uv_timer_stop(asideTimer_.get());
}

}  // namespace drover
