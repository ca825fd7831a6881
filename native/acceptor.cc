// The acceptor: which of its listening sockets are polled, and when. Arming and disarming, and what keeps a worker from accepting: paused, full, out of descriptors, above
// the average, without a permit. What is taken from a socket is acceptor_accept.cc, how it stands in the epoll set poll_set.cc.
//
// - A wake-up is a promise: nobody else is woken for that connection. Before we stop polling a socket that is exclusive we take what is waiting;
//   where a promise is lost for good (a process killed between wake-up and accept) `recheck` on its siblings finds the connection.
// - Full (`hold`): nothing more is taken, not even what is promised, and need not be. A promise is made to a loop that sleeps in epoll_wait, at most
//   one until it runs again (Linux takes a waiter off the row when it wakes it), and its event is the first of the batch: whoever gets full by
//   an accept has kept it. An event of the same batch that comes after it is ignored.
// - Granted sockets are not polled at all, permitted ones while the permit is ours.
// - Out of descriptors (exhaustion.cc): polling stops everywhere (level-triggered, it would spin), and the conductor is told that a wake-up is lost with us.
#include "acceptor.h"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "acceptor_socket.h"
#include "queue.h"

namespace drover {

Acceptor::Acceptor(LoopHandles& handles, LoopStamp& loopStamp, Wake& wake, Board board, AcceptorListener& listener)
    : handles_(handles),
      loopStamp_(loopStamp),
      wake_(wake),
      board_(board),
      listener_(listener),
      pollSet_(handles, sockets_, onPoll, [this](Socket& socket, uint64_t now) { return mayComeBack(socket, now); }),
      gate_(board, [this] { gateChanged(); }),
      exhaustion_(board, [this] { triedDescriptor(); }) {}

AcceptorSockets::iterator Acceptor::find(int fd) {
  return std::find_if(sockets_.begin(), sockets_.end(), [fd](const auto& socket) { return socket->fd.get() == fd; });
}

// The handles all sockets share, on first use.
int Acceptor::open() {
  if (keepAlive_) return 0;
  return std::min({
      pollSet_.open(),
      gate_.open(handles_),
      exhaustion_.open(handles_),
      // Never sent to: active from init to close, which is what keeps a loop alive, whether polling or paused.
      keepAlive_.open(handles_, this, [](uv_loop_t* loop, uv_async_t* handle) { return uv_async_init(loop, handle, nullptr); }),
  });
}

int Acceptor::arm(int fd, const ArmOptions& options) {
  if (closed_) return -EBADF;
  if (find(fd) != sockets_.end()) return -EEXIST;
  if (options.slot >= kMaxSlots) return -EINVAL;
  // Of a socket that does not listen accept4 may say EOPNOTSUPP for ever, which reads as "that connection is gone".
  if (const int listening = isListening(fd); listening <= 0) return listening == 0 ? -EINVAL : listening;
  if (const int status = open(); status < 0) return status;
  auto socket = std::make_shared<Socket>(*this, options);
  if (const int status = pollSet_.add(*socket, fd); status < 0) return status;
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
  if (polls(socket)) pollSet_.start(socket);
}

void Acceptor::startAll() {
  for (const auto& socket : sockets_) startPoll(*socket);
}

void Acceptor::stopAll() {
  for (const auto& socket : sockets_) pollSet_.stop(*socket);
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
  // Out of the epoll set first; only then is it closed.
  pollSet_.remove(*socket);
  socket->fd.reset();
}

int Acceptor::disarm(int fd, bool drain) {
  const auto found = find(fd);
  if (found == sockets_.end()) return -ENOENT;
  const std::shared_ptr<Socket> socket = *found;
  if (drain || isPromised(socket)) acceptPromised(socket, drain);
  if (socket->armed) drop(socket);
  return 0;
}

void Acceptor::pause() {
  if (closed_ || paused_) return;
  const auto sockets = sockets_;
  // First, so that JavaScript which pauses again in a callback finds it done.
  paused_ = true;
  for (const auto& socket : sockets) {
    if (isPromised(socket)) acceptPromised(socket);
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
  for (const auto& socket : sockets_) pollSet_.hold(*socket);
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
    if (polls(*socket) && pollSet_.comeBack(*socket)) continue;
    pollSet_.stop(*socket);
    startPoll(*socket);
  }
}

void Acceptor::gateChanged() {
  for (const auto& socket : sockets_) {
    if (!socket->options.gate) continue;
    if (gate_.isShut()) {
      pollSet_.stop(*socket);
    } else if (polling()) {
      startPoll(*socket);
    }
  }
}

void Acceptor::permitChanged() {
  if (!polling()) return;
  for (const auto& socket : sockets_) {
    if (!socket->options.permitted) continue;
    // Stopped first: it may have been given back to us before we noticed that it was gone.
    pollSet_.stop(*socket);
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
  pollSet_.close();
  gate_.close();
  exhaustion_.close();
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
