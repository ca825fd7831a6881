// An acceptor's listening sockets in the loop's epoll set. See poll_set.cc.
#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "loop_handle.h"

namespace drover {

struct AcceptorSocket;
using AcceptorSockets = std::vector<std::shared_ptr<AcceptorSocket>>;

class PollSet {
 public:
  // `sockets`: the acceptor's, in the set or not; outlives this. `onReady`: a socket is ready, which is the handle's data. `mayComeBack`: whether one that
  // has stepped aside may, at a look that begins `now`.
  PollSet(LoopHandles& handles, const AcceptorSockets& sockets, uv_poll_cb onReady, std::function<bool(AcceptorSocket&, uint64_t now)> mayComeBack)
      : handles_(handles), sockets_(sockets), onReady_(onReady), mayComeBack_(std::move(mayComeBack)) {}

  // 0 or -errno.
  int open();
  void close();

  // The socket's handle, which begins and ends out of the set. 0 or -errno.
  int add(AcceptorSocket& socket, int fd);
  void remove(AcceptorSocket& socket);

  void start(AcceptorSocket& socket);
  void stop(AcceptorSocket& socket);

  // Of what is exclusive; nothing happens to another.
  void goToEndOfRow(AcceptorSocket& socket);
  void stepAside(AcceptorSocket& socket);
  // Out at once: held where it is in the row or aside, else stopped.
  void hold(AcceptorSocket& socket);
  // What was held is in again. False: it was not, or stays out, and is to be started anew.
  bool comeBack(AcceptorSocket& socket);

 private:
  int epoll() const { return uv_backend_fd(handles_.loop()); }
  void swapRegistrations();
  void watchAside();
  void lookAside();

  LoopHandles& handles_;
  const AcceptorSockets& sockets_;
  uv_poll_cb onReady_;
  std::function<bool(AcceptorSocket&, uint64_t now)> mayComeBack_;
  LoopHandle<uv_check_t> swapCheck_;
  LoopHandle<uv_idle_t> swapIdle_;
  LoopHandle<uv_timer_t> asideTimer_;
};

}  // namespace drover
