// Accepting: what an acceptor takes from a socket when epoll or its bell (wake.cc) has woken it, or when it is about to stop polling. accept4(2) (Linux 2.6.28), and the rules
// of who takes how much. What an error means: accept_errno.cc.
//
// - One connection per turn of the loop and socket while a sibling is idle: what is left goes to it, or to us on the next turn, since
//   polling is level-triggered. With nobody idle up to eight, to spare us the turns.
// - After a theft we go to the end of the row on that socket, and stand behind its owner; with `rotate` after each accept.
// - A thief takes what is better with it (theft.cc). What it leaves to the owner it steps aside for (poll_set.cc).
// - A worker that was blocked lately accepts at the end of the turn, in uv_prepare: libuv runs timers between poll and the next poll, and a connection that is accepted
//   before one of them blocks waits for its end. What a timer keeps us from is still in the queue, where the conductor finds it. It costs no turn and no
//   wake-up. Who gets full in between gives the promise back.
// - Above the average (gate.cc) one wake-up is worth one connection, whoever is idle, and then the gate closes (gate_watch.cc).
// - A permit goes to another before JavaScript has the connection.
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "accept_errno.h"
#include "acceptor_socket.h"
#include "clock.h"
#include "gate.h"
#include "queue.h"

namespace drover {

namespace {
constexpr int kPerTurn = 8;
// A drain ends when the queue is empty; against a flood, here.
constexpr int kDrainLimit = 65536;
}  // namespace

void Acceptor::onPoll(uv_poll_t* handle, int status, int) {
  // JavaScript may disarm the socket, and drop the acceptor, while we are in it.
  const auto ready = static_cast<Socket*>(handle->data)->shared_from_this();
  const auto acceptor = ready->acceptor.shared_from_this();
  acceptor->onReady(ready, status);
}

void Acceptor::onReady(const std::shared_ptr<Socket>& socket, int status) {
  loopStamp_.leftPoll();
  if (!full_) increment(board_.own().wakeups);
  if (status < 0) {
    // POLLERR, and libuv has stopped the handle. Reading the error takes it off the socket; accept tells whether it still works.
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(socket->fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    pollSet_.stop(*socket);
    if (polling()) startPoll(*socket);
  }
  if (full_) return;
  if (loopStamp_.blockedLately()) return acceptBeforePoll(socket);
  acceptSome(socket);
}

// A wake-up for it may have been ours alone: it is in the row, or has left it (gateChanged) since we were woken.
bool Acceptor::isPromised(const std::shared_ptr<Socket>& socket) const {
  return socket->registration.isPromised() || std::find(late_.begin(), late_.end(), socket) != late_.end();
}

void Acceptor::acceptBeforePoll(const std::shared_ptr<Socket>& socket) {
  late_.push_back(socket);
  if (late_.size() > 1) return;
  loopStamp_.beforePoll([weak = weak_from_this()] {
    if (const auto acceptor = weak.lock()) acceptor->acceptLate();
  });
}

void Acceptor::acceptLate() {
  while (!late_.empty()) {
    const std::shared_ptr<Socket> socket = late_.front();
    late_.erase(late_.begin());
    // Who has disarmed or paused it has taken what was promised.
    if (socket->armed && polling()) acceptSome(socket);
  }
  gate_.acceptedLate();
}

// Accept one connection and hand it on. After kStop nothing of this socket may be touched.
Acceptor::Outcome Acceptor::acceptOne(Socket& socket) {
  if (isForOwner(socket) && isServed(board_, socket.options.slot)) return Outcome::kNothing;
  Fd connection(accept4(socket.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!connection.valid()) {
    const int error = errno;
    const int fd = socket.fd.get();
    switch (classifyAcceptError(error)) {
      case AcceptError::kNothingNow:
        return Outcome::kNothing;
      case AcceptError::kConnectionGone:
        return Outcome::kGone;
      case AcceptError::kExhausted:
        exhausted(-error, fd);
        return Outcome::kStop;
      case AcceptError::kListenerBroken:
        drop(socket.shared_from_this());
        listener_.onError(-error, fd);
        return Outcome::kStop;
    }
  }
  BoardRow& row = board_.own();
  increment(row.accepted);
  // Whoever accepts is not stalled, however many it takes in one turn.
  loopStamp_.renew();
  if (socket.options.granted) {
    store(row.arriving, load(row.arriving) + 1);
    // What was taken unasked is no grant.
    if (static_cast<int32_t>(load(row.granted) - load(row.taken)) > 0) std::atomic_ref<uint32_t>(row.taken).store(load(row.taken) + 1, std::memory_order_release);
  }
  if (socket.options.permitted) wake_.passPermit(false);
  if (socket.options.gate) gate_.accepted();
  if (socket.options.slot >= 0) std::atomic_ref<uint32_t>(board_.slot(socket.options.slot).accepted).fetch_add(1, std::memory_order_relaxed);
  const bool stolen = isOfOtherSlot(socket);
  if (stolen) increment(row.stolen);
  // Before JavaScript runs, which may take its time or close us.
  if (stolen || socket.options.rotate) pollSet_.goToEndOfRow(socket);
  listener_.onConnection(std::move(connection), socket.options.slot);
  if (socket.options.granted) std::atomic_ref<uint32_t>(row.arriving).store(load(row.arriving) - 1, std::memory_order_release);
  return socket.armed ? Outcome::kAccepted : Outcome::kStop;
}

// What a wake-up is worth: one connection while somebody else is idle, else up to kPerTurn.
void Acceptor::acceptSome(const std::shared_ptr<Socket>& socket) {
  if (socket->options.permitted) {
    if (wake_.confirmPermit() && acceptOne(*socket) == Outcome::kNothing) increment(board_.own().emptyWakeups);
    return;
  }
  bool first = true;
  const bool asks = mustAsk(*socket);
  const uint64_t now = asks || socket->options.gate ? monotonicNow() : 0;
  for (int i = 0; i < kPerTurn; i++) {
    if (asks && !mayTake(*socket, now)) return pollSet_.stepAside(*socket);
    // Who is woken alone finds, as a rule, the connection that it was woken for.
    const bool certain = first && socket->registration.isExclusive();
    const Outcome outcome = certain || isWaiting(socket->fd.get()) ? acceptOne(*socket) : Outcome::kNothing;
    if (outcome == Outcome::kNothing && first) increment(board_.own().emptyWakeups);
    if (outcome == Outcome::kNothing || outcome == Outcome::kStop) return;
    first = false;
    if (!polling()) return;
    if (outcome == Outcome::kAccepted && (board_.siblingIdle() || (socket->options.gate && aboveAverage(board_, now)))) return;
  }
}

// What is waiting, before we stop polling; at a drain all of it.
void Acceptor::acceptPromised(const std::shared_ptr<Socket>& socket, bool drain) {
  const int limit = drain ? kDrainLimit : kPerTurn;
  for (int i = 0; i < limit && socket->armed; i++) {
    // Full: the rest is for others, unless this is the end and nobody else comes.
    if (full_ && !drain) return;
    if (!isWaiting(socket->fd.get())) return;
    const Outcome outcome = acceptOne(*socket);
    if (outcome == Outcome::kNothing || outcome == Outcome::kStop) return;
  }
}

void Acceptor::recheck() {
  const auto sockets = sockets_;
  for (const auto& socket : sockets) {
    if (!polling()) return;
    if (socket->armed && (polls(*socket) || isPromised(socket))) acceptPromised(socket);
  }
}

// A holder of a permit is rung when a connection waits that it was not woken for: the wake-up went to another, which is out of descriptors, stopped or dead.
void Acceptor::rescue(bool holder) {
  const auto sockets = sockets_;
  for (const auto& socket : sockets) {
    if (!polling()) return;
    const ArmOptions& options = socket->options;
    if (!socket->armed || !options.exclusive) continue;
    if (socket->reserve) {
      acceptPromised(socket);
    } else if (!options.permitted || (holder && wake_.confirmPermit())) {
      acceptOne(*socket);
    }
  }
}

bool Acceptor::takeGranted() {
  for (size_t tried = 0; tried < sockets_.size() && polling(); tried++) {
    const std::shared_ptr<Socket> socket = sockets_[nextGranted_++ % sockets_.size()];
    if (!socket->options.granted) continue;
    const uint64_t before = load(board_.own().accepted);
    const Outcome outcome = acceptOne(*socket);
    // It may have been accepted, and then everything closed by JavaScript.
    if (outcome == Outcome::kAccepted || load(board_.own().accepted) != before) return true;
    if (outcome == Outcome::kStop) return false;
  }
  return false;
}

bool Acceptor::seesMore() {
  return std::any_of(sockets_.begin(), sockets_.end(), [](const auto& socket) { return socket->uncounted && isWaiting(socket->fd.get()); });
}

}  // namespace drover
