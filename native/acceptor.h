// Accepting connections from any number of listening sockets. See acceptor.cc for when one is polled, acceptor_accept.cc for what is taken from it, and
// acceptor_siblings.cc for those of other slots.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "board.h"
#include "exhaustion.h"
#include "fd.h"
#include "gate_watch.h"
#include "loop_handle.h"
#include "loop_stamp.h"
#include "poll_set.h"
#include "wake.h"

namespace drover {

struct ArmOptions {
  bool exclusive;
  int slot;
  bool rotate;
  // Not polled while this worker has more than its share of connections (gate.cc).
  bool gate = false;
  // Never polled: accepted from when the conductor has granted a connection (grant.cc).
  bool granted = false;
  // Polled while this worker has a permit (permit.cc).
  bool permitted = false;
};

// A slot and the row of its owner, -1 without one.
struct Post {
  int slot;
  int row;

  bool operator==(const Post&) const = default;
};

// Whom an acceptor hands its connections to.
class AcceptorListener {
 public:
  virtual void onConnection(Fd connection, int slot) = 0;
  virtual void onError(int error, int fd) = 0;

 protected:
  ~AcceptorListener() = default;
};

class Acceptor final : public std::enable_shared_from_this<Acceptor>, public WakeListener {
 public:
  Acceptor(LoopHandles& handles, LoopStamp& loopStamp, Wake& wake, Board board, AcceptorListener& listener);

  int arm(int fd, const ArmOptions& options);
  int disarm(int fd, bool drain);
  void pause();
  void resume();
  void hold();
  void release();
  void recheck();
  // The slots at whose sockets nobody listens, for as long as they have these owners: what waits there is anybody's.
  void setUnattended(std::vector<Post> posts);
  void close(bool drain);
  // The same at the end of the environment, when there is nobody to hand a connection to: nothing is accepted.
  void abandon();
  std::vector<int> fds() const;
  void ref(bool on);
  bool closed() const { return closed_; }

  bool takeGranted() override;
  bool seesMore() override;
  bool takesMore() override { return !closed_ && polling(); }
  void permitChanged() override;
  void rescue(bool holder) override;

 private:
  using Socket = AcceptorSocket;
  enum class Outcome { kAccepted, kGone, kNothing, kStop };

  int open();
  bool polling() const { return !paused_ && !exhaustion_.is() && !full_; }
  bool polls(const Socket& socket) const;
  void startPoll(Socket& socket);
  void startAll();
  void stopAll();
  void gateChanged();
  void passPermit();
  void exhausted(int error, int fd);
  void triedDescriptor();
  void drop(std::shared_ptr<Socket> socket);
  AcceptorSockets::iterator find(int fd);

  // acceptor_accept.cc
  static void onPoll(uv_poll_t* handle, int status, int events);
  void onReady(const std::shared_ptr<Socket>& socket, int status);
  void acceptBeforePoll(const std::shared_ptr<Socket>& socket);
  void acceptLate();
  bool isPromised(const std::shared_ptr<Socket>& socket) const;
  Outcome acceptOne(Socket& socket);
  void acceptSome(const std::shared_ptr<Socket>& socket);
  void acceptPromised(const std::shared_ptr<Socket>& socket, bool drain = false);

  // acceptor_siblings.cc
  bool isOfOtherSlot(const Socket& socket) const;
  bool isSiblings(const Socket& socket) const;
  bool mustAsk(const Socket& socket) const;
  bool isForOwner(const Socket& socket) const;
  bool isUnattended(const Socket& socket) const;
  bool mayTake(Socket& socket, uint64_t now);
  uint32_t ownQueue() const;
  bool mayComeBack(Socket& socket, uint64_t now);

  LoopHandles& handles_;
  LoopStamp& loopStamp_;
  Wake& wake_;
  Board board_;
  AcceptorListener& listener_;
  AcceptorSockets sockets_;
  PollSet pollSet_;
  // Ready, and to be accepted from before the next poll.
  AcceptorSockets late_;
  LoopHandle<uv_async_t> keepAlive_;
  GateWatch gate_;
  Exhaustion exhaustion_;
  std::vector<Post> unattended_;
  size_t nextGranted_ = 0;
  bool ref_ = true;
  bool wakes_ = false;
  bool paused_ = false;
  bool full_ = false;
  // Why it is: for who is told again at each try in vain.
  int exhaustedError_ = 0;
  int exhaustedFd_ = -1;
  bool closed_ = false;
};

}  // namespace drover
