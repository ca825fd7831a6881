// The acceptor: one poll handle per listening socket, accept4(2) (Linux 2.6.28), and the rules of who takes how much.
//
// - One connection per turn of the loop and socket while a sibling is idle: what is left goes to it, or to us on the next turn, since
//   polling is level-triggered. With nobody idle up to eight, to spare us the turns.
// - EPOLLEXCLUSIVE by swapping libuv's registration (registration.cc) in the uv_check after it was made; an idle handle makes that turn come at once.
// - After a theft we go to the end of the row on that socket, and stand behind its owner; with `rotate` after each accept.
// - A thief takes what is better with it (theft.cc). What it leaves to the owner it steps aside for, off the row of that socket, so that the owner stands before it, and
//   looks again every kAsideMs. A thief that dies aside: rescue.cc.
// - A wake-up is a promise: nobody else is woken for that connection. Before we stop polling a socket that is exclusive we take what is waiting;
//   where a promise is lost for good (a process killed between wake-up and accept) `recheck` on its siblings finds the connection.
// - Full (`hold`): nothing more is taken, not even what is promised, and need not be. A promise is made to a loop that sleeps in epoll_wait, at most
//   one until it runs again (Linux takes a waiter off the row when it wakes it), and its event is the first of the batch: whoever gets full by
//   an accept has kept it. The registrations go at once, behind libuv's back, so that being full and not costs one system call per socket each;
//   coming back finds what waits, since adding a registration looks at the queue. An event of the same batch that comes after it is ignored.
// - A worker that was blocked lately accepts at the end of the turn, in uv_prepare: libuv runs timers between poll and the next poll, and a connection that is accepted
//   before one of them blocks waits for its end. What a timer keeps us from is still in the queue, where the conductor finds it. It costs no turn and no
//   wake-up. Who gets full in between gives the promise back.
// - Above the average (gate.cc) one wake-up is worth one connection, whoever is idle, and then the gate closes (gate_watch.cc).
// - Granted sockets are not polled at all, permitted ones while the permit is ours, which goes to another before JavaScript has the connection.
// - Descriptors leave the epoll set before they are closed: others hold the same open file, and the kernel would keep reporting it.
// - Out of descriptors (exhaustion.cc): polling stops everywhere (level-triggered, it would spin), and the conductor is told that a wake-up is lost with us.
#include "acceptor.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
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

Acceptor::Acceptor(LoopHandles& handles, LoopStamp& loopStamp, Wake& wake, Board board, AcceptorListener& listener)
    : handles_(handles), loopStamp_(loopStamp), wake_(wake), board_(board), listener_(listener), gate_(board, [this] { gateChanged(); }), exhaustion_(board, [this] { triedDescriptor(); }) {}

std::vector<std::shared_ptr<Acceptor::Socket>>::iterator Acceptor::find(int fd) {
  return std::find_if(sockets_.begin(), sockets_.end(), [fd](const auto& socket) { return socket->fd.get() == fd; });
}

// The handles all sockets share, on first use.
int Acceptor::open() {
  if (keepAlive_) return 0;
  std::array<int, 6> status = {
      swapCheck_.open(handles_, this, uv_check_init),
      swapIdle_.open(handles_, this, uv_idle_init),
      gate_.open(handles_),
      exhaustion_.open(handles_),
      asideTimer_.open(handles_, this, uv_timer_init),
      // Never sent to: active from init to close, which is what keeps a loop alive, whether polling or paused.
      keepAlive_.open(handles_, this, [](uv_loop_t* loop, uv_async_t* handle) { return uv_async_init(loop, handle, nullptr); }),
  };
  return *std::min_element(status.begin(), status.end());
}

int Acceptor::arm(int fd, const ArmOptions& options) {
  if (closed_) return -EBADF;
  if (find(fd) != sockets_.end()) return -EEXIST;
  if (options.slot >= kMaxSlots) return -EINVAL;
  // Of a socket that does not listen accept4 may say EOPNOTSUPP for ever, which reads as "that connection is gone".
  if (const int listening = isListening(fd); listening <= 0) return listening == 0 ? -EINVAL : listening;
  if (const int status = open(); status < 0) return status;
  auto socket = std::make_shared<Socket>(*this, options);
  const int status = socket->poll.open(handles_, socket.get(), [fd](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, fd); });
  if (status < 0) return status;
  socket->fd.reset(fd);
  QueueLength queue{};
  socket->uncounted = options.granted && queueLength(fd, queue) < 0;
  socket->reserve = isForOwner(*socket);
  sockets_.push_back(socket);
  ref(ref_);
  if ((options.granted || options.permitted || options.exclusive) && !std::exchange(wakes_, true)) wake_.add(weak_from_this());
  if (polling()) startPoll(*socket);
  return 0;
}

bool Acceptor::polls(const Socket& socket) const {
  const ArmOptions& options = socket.options;
  return !options.granted && !socket.reserve && !(options.gate && gate_.isShut()) && !(options.permitted && !wake_.holdsPermit());
}

void Acceptor::startPoll(Socket& socket) {
  if (!polls(socket)) return;
  uv_poll_start(socket.poll.get(), UV_READABLE, [](uv_poll_t* handle, int status, int) {
    // JavaScript may disarm the socket, and drop the acceptor, while we are in it.
    const auto ready = static_cast<Socket*>(handle->data)->shared_from_this();
    const auto acceptor = ready->acceptor.shared_from_this();
    acceptor->onReady(ready, status);
  });
  socket.registration.begin(socket.options.exclusive);
  if (!socket.options.exclusive) return;
  uv_check_start(swapCheck_.get(), [](uv_check_t* handle) { static_cast<Acceptor*>(handle->data)->swapRegistrations(); });
  uv_idle_start(swapIdle_.get(), [](uv_idle_t*) {});
}

void Acceptor::stopPoll(Socket& socket) {
  uv_poll_stop(socket.poll.get());
  socket.registration.end();
}

void Acceptor::startAll() {
  for (const auto& socket : sockets_) startPoll(*socket);
}

void Acceptor::stopAll() {
  for (const auto& socket : sockets_) stopPoll(*socket);
}

void Acceptor::swapRegistrations() {
  bool waiting = false;
  for (const auto& socket : sockets_) {
    waiting |= socket->registration.awaitsSwap() && !socket->registration.swap(epoll(), socket->fd.get());
    if (socket->registration.isAside()) watchAside();
  }
  if (waiting) return;
  uv_check_stop(swapCheck_.get());
  uv_idle_stop(swapIdle_.get());
}

void Acceptor::onReady(const std::shared_ptr<Socket>& socket, int status) {
  loopStamp_.leftPoll();
  if (!full_) increment(board_.own().wakeups);
  if (status < 0) {
    // POLLERR, and libuv has stopped the handle. Reading the error takes it off the socket; accept tells whether it still works.
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(socket->fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    stopPoll(*socket);
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
  if (stolen || socket.options.rotate) {
    socket.registration.goToEndOfRow(epoll(), socket.fd.get());
    if (socket.registration.isAside()) watchAside();
  }
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
    if (asks && !mayTake(*socket, now)) return stepAside(*socket);
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

// What is waiting, before we stop polling.
void Acceptor::acceptPromised(const std::shared_ptr<Socket>& socket, int limit) {
  for (int i = 0; i < limit && socket->armed; i++) {
    // Full: the rest is for others, unless this is the end and nobody else comes (a drain).
    if (full_ && limit == kPerTurn) return;
    if (!isWaiting(socket->fd.get())) return;
    const Outcome outcome = acceptOne(*socket);
    if (outcome == Outcome::kNothing || outcome == Outcome::kStop) return;
  }
}

// We stop polling what only permit holders poll: somebody else shall.
void Acceptor::passPermit() {
  if (wakes_) wake_.passPermit(true);
}

void Acceptor::exhausted(int error, int fd) {
  exhaustedError_ = error;
  exhaustedFd_ = fd;
  if (exhaustion_.begin()) {
    stopAll();
    wake_.tellOrphaned();
  }
  passPermit();
  listener_.onError(error, fd);
}

void Acceptor::triedDescriptor() {
  if (exhaustion_.is()) return listener_.onError(exhaustedError_, exhaustedFd_);
  if (polling()) startAll();
  wake_.tellIfWaiting();
}

void Acceptor::drop(std::shared_ptr<Socket> socket) {
  socket->armed = false;
  std::erase(sockets_, socket);
  // Closing the handle takes the descriptor out of the epoll set at once; only then is it closed.
  socket->poll.close();
  socket->fd.reset();
}

int Acceptor::disarm(int fd, bool drain) {
  const auto found = find(fd);
  if (found == sockets_.end()) return -ENOENT;
  const std::shared_ptr<Socket> socket = *found;
  if (drain) {
    acceptPromised(socket, kDrainLimit);
  } else if (isPromised(socket)) {
    acceptPromised(socket, kPerTurn);
  }
  if (socket->armed) drop(socket);
  return 0;
}

void Acceptor::pause() {
  if (closed_ || paused_) return;
  const auto sockets = sockets_;
  // First, so that JavaScript which pauses again in a callback finds it done.
  paused_ = true;
  for (const auto& socket : sockets) {
    if (isPromised(socket)) acceptPromised(socket, kPerTurn);
  }
  if (paused_) stopAll();
  passPermit();
}

void Acceptor::resume() {
  if (closed_ || !paused_) return;
  paused_ = false;
  if (!polling()) return;
  startAll();
  wake_.tellIfWaiting();
}

// At a limit of the worker's. May be called from a connection's callback, and then nothing comes after that connection.
void Acceptor::hold() {
  if (closed_ || full_) return;
  full_ = true;
  // Promised to us, and not taken yet.
  if (!std::exchange(late_, {}).empty()) wake_.tellOrphaned();
  passPermit();
  for (const auto& socket : sockets_) {
    if (!socket->registration.hold(epoll(), socket->fd.get())) stopPoll(*socket);
  }
}

void Acceptor::release() {
  if (closed_ || !full_) return;
  full_ = false;
  // What has filled us may have kept the loop for long: we are as good as out of poll only now, and shall be given something.
  loopStamp_.renew();
  // Paused or out of descriptors meanwhile, and stopped by that: whoever starts again starts it from the beginning.
  if (!polling()) return;
  if (std::any_of(sockets_.begin(), sockets_.end(), [](const auto& socket) { return socket->options.granted; })) wake_.takeIfWaiting();
  for (const auto& socket : sockets_) {
    if (socket->registration.isHeld() && polls(*socket) && socket->registration.comeBack(epoll(), socket->fd.get())) continue;
    stopPoll(*socket);
    startPoll(*socket);
  }
}

void Acceptor::recheck() {
  const auto sockets = sockets_;
  for (const auto& socket : sockets) {
    if (!polling()) return;
    if (socket->armed && (polls(*socket) || isPromised(socket))) acceptPromised(socket, kPerTurn);
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
      acceptPromised(socket, kPerTurn);
    } else if (!options.permitted || (holder && wake_.confirmPermit())) {
      acceptOne(*socket);
    }
  }
}

void Acceptor::gateChanged() {
  for (const auto& socket : sockets_) {
    if (!socket->options.gate) continue;
    if (gate_.isShut()) {
      stopPoll(*socket);
    } else if (polling()) {
      startPoll(*socket);
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

void Acceptor::permitChanged() {
  if (!polling()) return;
  for (const auto& socket : sockets_) {
    if (!socket->options.permitted) continue;
    // Stopped first: it may have been given back to us before we noticed that it was gone.
    stopPoll(*socket);
    startPoll(*socket);
  }
}

void Acceptor::close(bool drain) {
  if (closed_) return;
  const auto sockets = sockets_;
  for (const auto& socket : sockets) {
    if (socket->armed) disarm(socket->fd.get(), drain);
  }
  abandon();
}

void Acceptor::abandon() {
  if (closed_) return;
  closed_ = true;
  exhaustion_.end();
  // What we were woken for is others' now.
  if (!sockets_.empty()) wake_.tellOrphaned();
  passPermit();
  while (!sockets_.empty()) drop(sockets_.back());
  keepAlive_.close();
  swapCheck_.close();
  swapIdle_.close();
  gate_.close();
  exhaustion_.close();
  asideTimer_.close();
}

std::vector<int> Acceptor::fds() const {
  std::vector<int> list;
  for (const auto& socket : sockets_) list.push_back(socket->fd.get());
  return list;
}

void Acceptor::ref(bool on) {
  ref_ = on;
  if (!keepAlive_) return;
  // What could not be armed has nothing to live for; the first socket asks again.
  if (on && !sockets_.empty()) {
    uv_ref(keepAlive_.generic());
  } else {
    uv_unref(keepAlive_.generic());
  }
}

}  // namespace drover
