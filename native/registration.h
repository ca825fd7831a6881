// How one listening socket stands in the loop's epoll set. See registration.cc.
#pragma once

namespace drover {

// `epoll`: of the loop. Nothing here is asked of libuv, whose handle is started before begin() and stopped before end().
class Registration {
 public:
  // In the row of waiters, or out of it for now but not given up: a wake-up for this socket may have been ours alone.
  bool isPromised() const { return state_ == State::kExclusive || state_ == State::kAside; }
  bool isExclusive() const { return state_ == State::kExclusive; }
  bool isAside() const { return state_ == State::kAside; }
  bool isHeld() const { return state_ == State::kHeld; }
  // Whether swap() has work.
  bool awaitsSwap() const { return state_ == State::kToSwap; }

  void begin(bool exclusive);
  void end() { state_ = State::kPlain; }

  // Plain to exclusive. False: libuv has not registered it yet, so once more next turn. It may end aside.
  bool swap(int epoll, int fd);
  // It may end aside.
  void goToEndOfRow(int epoll, int fd);
  // Out of the row, to come back. False: it is not in it, or stays.
  bool stepAside(int epoll, int fd) { return leave(epoll, fd, State::kAside); }
  // The same for a worker that is full, also from aside.
  bool hold(int epoll, int fd);
  // Into the row again: that looks at the queue. False: it stays out.
  bool comeBack(int epoll, int fd);

 private:
  // kAside and kHeld: exclusive, and out of the epoll set for now.
  enum class State { kPlain, kToSwap, kExclusive, kHeld, kAside };

  bool leave(int epoll, int fd, State state);
  State addAgain(int epoll, int fd);

  State state_ = State::kPlain;
  int swapTurns_ = 0;
};

}  // namespace drover
