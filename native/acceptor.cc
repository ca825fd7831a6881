// The acceptor: one poll handle per listening socket, accept4(2) (Linux 2.6.28), and the rules of who takes how much.
//
// - One connection per turn of the loop and socket while a sibling is idle: what is left goes to it, or to us on the next turn, since
//   polling is level-triggered. With nobody idle up to eight, to spare us the turns.
// - EPOLLEXCLUSIVE by swapping libuv's registration (exclusive.cc). libuv adds a descriptor in the poll phase after uv_poll_start, so the swap
//   waits for the uv_check that follows, and an idle handle makes that turn come at once.
// - After a theft we go to the end of the row on that socket, and stand behind its owner; with `rotate` after each accept.
// - A wake-up is a promise: nobody else is woken for that connection. Before we stop polling a socket that is exclusive we take what is waiting;
//   where a promise is lost for good (a process killed between wake-up and accept) `recheck` on its siblings finds the connection.
// - Full (`hold`): nothing more is taken, not even what is promised, and need not be. A promise is made to a loop that sleeps in epoll_wait, at most
//   one until it runs again (Linux takes a waiter off the row when it wakes it), and its event is the first of the batch: whoever gets full by
//   an accept has kept it. The registrations go at once, behind libuv's back, so that being full and not costs one system call per socket each;
//   coming back finds what waits, since adding a registration looks at the queue. An event of the same batch that comes after it is ignored.
// - The gate closes in the uv_check after an accept: all events of that batch have been handled by then, so no promise is broken.
// - Granted sockets are not polled at all, permitted ones while the permit is ours, which goes to another before JavaScript has the connection.
// - Descriptors leave the epoll set before they are closed: others hold the same open file, and the kernel would keep reporting it.
// - Out of descriptors: polling stops everywhere and a timer tries again; level-triggered polling would spin.
#include "acceptor.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "accept_errno.h"
#include "args.h"
#include "callback.h"
#include "environment.h"
#include "exclusive.h"
#include "gate.h"
#include "queue.h"
#include "result.h"

namespace drover {

namespace {
constexpr int kPerTurn = 8;
// A drain ends when the queue is empty; against a flood, here.
constexpr int kDrainLimit = 65536;
constexpr uint64_t kRetryMs = 100;
constexpr uint64_t kGateMs = 10;
// Turns to wait for libuv to register a descriptor; it takes one or two.
constexpr int kSwapTurns = 16;
}  // namespace

struct Acceptor::Socket : std::enable_shared_from_this<Socket> {
  enum class Registration { kPlain, kToSwap, kExclusive, kHeld };

  Acceptor& acceptor;
  Fd fd;
  ArmOptions options;
  LoopHandle<uv_poll_t> poll;
  Registration registration = Registration::kPlain;
  int swapTurns = 0;
  bool armed = true;
  // A unix socket: its queue has no length that the conductor could ask for.
  bool uncounted = false;

  Socket(Acceptor& owner, const ArmOptions& how) : acceptor(owner), options(how) {}
};

Acceptor::Acceptor(LoopHandles& handles, LoopStamp& loopStamp, Wake& wake, Board board, AcceptorListener& listener)
    : handles_(handles), loopStamp_(loopStamp), wake_(wake), board_(board), listener_(listener) {}

std::vector<std::shared_ptr<Acceptor::Socket>>::iterator Acceptor::find(int fd) {
  return std::find_if(sockets_.begin(), sockets_.end(), [fd](const auto& socket) { return socket->fd.get() == fd; });
}

// The handles all sockets share, on first use.
int Acceptor::open() {
  if (keepAlive_) return 0;
  std::array<int, 6> status = {
      swapCheck_.open(handles_, this, uv_check_init),
      swapIdle_.open(handles_, this, uv_idle_init),
      retry_.open(handles_, this, uv_timer_init),
      gateCheck_.open(handles_, this, uv_check_init),
      gateTimer_.open(handles_, this, uv_timer_init),
      // Never sent to: active from init to close, which is what keeps a loop alive, whether polling or paused.
      keepAlive_.open(handles_, this, [](uv_loop_t* loop, uv_async_t* handle) { return uv_async_init(loop, handle, nullptr); }),
  };
  ref(ref_);
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
  sockets_.push_back(socket);
  if ((options.granted || options.permitted) && !std::exchange(wakes_, true)) wake_.add(weak_from_this());
  if (polling()) startPoll(*socket);
  return 0;
}

bool Acceptor::polls(const Socket& socket) const {
  const ArmOptions& options = socket.options;
  return !options.granted && !(options.gate && gated_) && !(options.permitted && !wake_.holdsPermit());
}

void Acceptor::startPoll(Socket& socket) {
  if (!polls(socket)) return;
  uv_poll_start(socket.poll.get(), UV_READABLE, [](uv_poll_t* handle, int status, int) {
    // JavaScript may disarm the socket, and drop the acceptor, while we are in it.
    const auto ready = static_cast<Socket*>(handle->data)->shared_from_this();
    const auto acceptor = ready->acceptor.shared_from_this();
    acceptor->onReady(ready, status);
  });
  if (!socket.options.exclusive) return;
  socket.registration = Socket::Registration::kToSwap;
  socket.swapTurns = 0;
  uv_check_start(swapCheck_.get(), [](uv_check_t* handle) { static_cast<Acceptor*>(handle->data)->swapRegistrations(); });
  uv_idle_start(swapIdle_.get(), [](uv_idle_t*) {});
}

void Acceptor::stopPoll(Socket& socket) {
  uv_poll_stop(socket.poll.get());
  socket.registration = Socket::Registration::kPlain;
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
    if (socket->registration != Socket::Registration::kToSwap) continue;
    const int status = registerExclusive(uv_backend_fd(handles_.loop()), socket->fd.get());
    if (status == -ENOENT && ++socket->swapTurns < kSwapTurns) {
      waiting = true;
    } else {
      socket->registration = status == 0 ? Socket::Registration::kExclusive : Socket::Registration::kPlain;
    }
  }
  if (waiting) return;
  uv_check_stop(swapCheck_.get());
  uv_idle_stop(swapIdle_.get());
}

void Acceptor::goToEndOfRow(Socket& socket) {
  if (socket.registration != Socket::Registration::kExclusive) return;
  if (registerExclusive(uv_backend_fd(handles_.loop()), socket.fd.get()) != 0) socket.registration = Socket::Registration::kPlain;
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
  if (!full_) acceptSome(socket);
}

// Accept one connection and hand it on. After kStop nothing of this socket may be touched.
Acceptor::Outcome Acceptor::acceptOne(Socket& socket) {
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
  if (socket.options.granted) store(row.taken, load(row.taken) + 1);
  if (socket.options.permitted) wake_.passPermit(false);
  if (socket.options.gate) uv_check_start(gateCheck_.get(), [](uv_check_t* handle) { static_cast<Acceptor*>(handle->data)->lookAtGate(); });
  if (socket.options.slot >= 0) std::atomic_ref<uint32_t>(board_.slot(socket.options.slot).accepted).fetch_add(1, std::memory_order_relaxed);
  const bool stolen = socket.options.slot >= 0 && static_cast<uint32_t>(socket.options.slot) != load(row.slot);
  if (stolen) increment(row.stolen);
  // Before JavaScript runs, which may take its time or close us.
  if (stolen || socket.options.rotate) goToEndOfRow(socket);
  listener_.onConnection(std::move(connection), socket.options.slot);
  return socket.armed ? Outcome::kAccepted : Outcome::kStop;
}

// What a wake-up is worth: one connection while somebody else is idle, else up to kPerTurn.
void Acceptor::acceptSome(const std::shared_ptr<Socket>& socket) {
  if (socket->options.permitted) {
    if (wake_.confirmPermit() && acceptOne(*socket) == Outcome::kNothing) increment(board_.own().emptyWakeups);
    return;
  }
  bool first = true;
  for (int i = 0; i < kPerTurn; i++) {
    const Outcome outcome = acceptOne(*socket);
    if (outcome == Outcome::kNothing && first) increment(board_.own().emptyWakeups);
    if (outcome == Outcome::kNothing || outcome == Outcome::kStop) return;
    first = false;
    if (!polling()) return;
    if (outcome == Outcome::kAccepted && board_.siblingIdle()) return;
  }
}

// What is waiting, before we stop polling.
void Acceptor::acceptPromised(const std::shared_ptr<Socket>& socket, int limit) {
  for (int i = 0; i < limit && socket->armed; i++) {
    // Full: the rest is for others, unless this is the end and nobody else comes (a drain).
    if (full_ && limit == kPerTurn) return;
    const Outcome outcome = acceptOne(*socket);
    if (outcome == Outcome::kNothing || outcome == Outcome::kStop) return;
  }
}

// We stop polling what only permit holders poll: somebody else shall.
void Acceptor::passPermit() {
  if (wakes_) wake_.passPermit(true);
}

void Acceptor::exhausted(int error, int fd) {
  if (!exhausted_) {
    exhausted_ = true;
    stopAll();
    if (retry_) {
      uv_timer_start(
          retry_.get(),
          [](uv_timer_t* timer) {
            auto* self = static_cast<Acceptor*>(timer->data);
            self->exhausted_ = false;
            if (self->polling()) self->startAll();
            self->wake_.tellIfWaiting();
          },
          kRetryMs, 0);
    }
  }
  passPermit();
  listener_.onError(error, fd);
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
  } else if (socket->registration == Socket::Registration::kExclusive) {
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
    if (socket->registration == Socket::Registration::kExclusive) acceptPromised(socket, kPerTurn);
  }
  if (paused_) stopAll();
  passPermit();
}

void Acceptor::resume() {
  if (closed_ || !paused_) return;
  paused_ = false;
  if (polling()) startAll();
}

// At a limit of the worker's. May be called from a connection's callback, and then nothing comes after that connection.
void Acceptor::hold() {
  if (closed_ || full_) return;
  full_ = true;
  passPermit();
  for (const auto& socket : sockets_) {
    if (socket->registration == Socket::Registration::kExclusive && unregister(uv_backend_fd(handles_.loop()), socket->fd.get()) == 0) {
      socket->registration = Socket::Registration::kHeld;
    } else {
      stopPoll(*socket);
    }
  }
}

void Acceptor::release() {
  if (closed_ || !full_) return;
  full_ = false;
  wake_.tellIfWaiting();
  // Paused or out of descriptors meanwhile, and stopped by that: whoever starts again starts it from the beginning.
  if (!polling()) return;
  for (const auto& socket : sockets_) {
    if (socket->registration == Socket::Registration::kHeld && polls(*socket) && addExclusive(uv_backend_fd(handles_.loop()), socket->fd.get()) == 0) {
      socket->registration = Socket::Registration::kExclusive;
    } else {
      stopPoll(*socket);
      startPoll(*socket);
    }
  }
}

void Acceptor::recheck() {
  const auto sockets = sockets_;
  for (const auto& socket : sockets) {
    if (!polling()) return;
    if (socket->armed && polls(*socket)) acceptPromised(socket, kPerTurn);
  }
}

void Acceptor::lookAtGate() {
  uv_check_stop(gateCheck_.get());
  if (!gated_ && aboveAverage(board_, uv_hrtime())) setGated(true);
}

void Acceptor::setGated(bool on) {
  gated_ = on;
  for (const auto& socket : sockets_) {
    if (!socket->options.gate) continue;
    if (on) {
      stopPoll(*socket);
    } else if (polling()) {
      startPoll(*socket);
    }
  }
  if (!on) return;
  uv_timer_start(
      gateTimer_.get(),
      [](uv_timer_t* timer) {
        auto* self = static_cast<Acceptor*>(timer->data);
        if (aboveAverage(self->board_, uv_hrtime())) return;
        uv_timer_stop(timer);
        self->setGated(false);
      },
      kGateMs, kGateMs);
}

bool Acceptor::takeGranted() {
  for (size_t tried = 0; tried < sockets_.size() && polling(); tried++) {
    const std::shared_ptr<Socket> socket = sockets_[nextGranted_++ % sockets_.size()];
    if (!socket->options.granted) continue;
    const uint32_t before = load(board_.own().taken);
    const Outcome outcome = acceptOne(*socket);
    // It may have been accepted, and then everything closed by JavaScript.
    if (outcome == Outcome::kAccepted || load(board_.own().taken) != before) return true;
    if (outcome == Outcome::kStop) return false;
  }
  return false;
}

bool Acceptor::seesMore() {
  if (!polling()) return false;
  return std::any_of(sockets_.begin(), sockets_.end(), [](const auto& socket) {
    pollfd look = {socket->fd.get(), POLLIN, 0};
    return socket->uncounted && ::poll(&look, 1, 0) > 0;
  });
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
  if (closed_) return;
  closed_ = true;
  passPermit();
  while (!sockets_.empty()) drop(sockets_.back());
  keepAlive_.close();
  swapCheck_.close();
  swapIdle_.close();
  retry_.close();
  gateCheck_.close();
  gateTimer_.close();
}

std::vector<int> Acceptor::fds() const {
  std::vector<int> list;
  for (const auto& socket : sockets_) list.push_back(socket->fd.get());
  return list;
}

void Acceptor::ref(bool on) {
  ref_ = on;
  if (!keepAlive_) return;
  if (on) {
    uv_ref(keepAlive_.generic());
  } else {
    uv_unref(keepAlive_.generic());
  }
}

// ---- binding

namespace {

class AcceptorObject final : public Napi::ObjectWrap<AcceptorObject>, public Resource, public AcceptorListener {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "Acceptor",
                       {InstanceMethod<&AcceptorObject::arm>("arm"), InstanceMethod<&AcceptorObject::disarm>("disarm"),
                        InstanceMethod<&AcceptorObject::pause>("pause"), InstanceMethod<&AcceptorObject::resume>("resume"),
                        InstanceMethod<&AcceptorObject::hold>("hold"), InstanceMethod<&AcceptorObject::release>("release"),
                        InstanceMethod<&AcceptorObject::recheck>("recheck"), InstanceMethod<&AcceptorObject::close>("close"),
                        InstanceMethod<&AcceptorObject::fds>("fds"), InstanceMethod<&AcceptorObject::ref>("ref"),
                        InstanceMethod<&AcceptorObject::unref>("unref")});
  }

  explicit AcceptorObject(const Napi::CallbackInfo& info)
      : ObjectWrap(info), environment_(Environment::of(info.Env())), context_(info.Env(), "drover.Acceptor") {
    Args args(info);
    const Napi::ArrayBuffer buffer = args.buffer(0);
    const int row = args.integer(1);
    const Napi::Function connection = args.function(2);
    const Napi::Function error = args.function(3);
    Board board;
    if (args.valid() && row >= 0) {
      board = Board(bytesOf(buffer), static_cast<size_t>(row));
      board_ = Napi::Persistent(buffer);
      onConnection_ = Napi::Persistent(connection);
      onError_ = Napi::Persistent(error);
    }
    acceptor_ = std::make_shared<Acceptor>(environment_.handles, environment_.loopStamp, environment_.wake, board, *this);
    // No row to count on: an acceptor that is closed from the start.
    if (!board.valid()) acceptor_->close(false);
  }
  ~AcceptorObject() { shutDown(); }

  void shutDown() override {
    acceptor_->close(false);
    environment_.remove(this);
  }

 private:
  Napi::Value arm(const Napi::CallbackInfo& info) {
    Args args(info);
    const int fd = args.integer(0);
    const ArmOptions options{.exclusive = args.flag(1, "exclusive"),
                             .slot = args.integer(1, "slot"),
                             .rotate = args.flag(1, "rotate"),
                             .gate = args.optionalFlag(1, "gate"),
                             .granted = args.optionalFlag(1, "granted"),
                             .permitted = args.optionalFlag(1, "permitted")};
    const int status = args.valid() ? acceptor_->arm(fd, options) : -EINVAL;
    if (status == 0 && !std::exchange(held_, true)) {
      // The loop knows us now: stay until closed.
      environment_.add(this);
      Ref();
    }
    return result(info.Env(), status);
  }

  Napi::Value disarm(const Napi::CallbackInfo& info) {
    Args args(info);
    const int fd = args.integer(0);
    const bool drain = args.flag(1);
    return result(info.Env(), args.valid() ? acceptor_->disarm(fd, drain) : -EINVAL);
  }

  void pause(const Napi::CallbackInfo&) { acceptor_->pause(); }
  void resume(const Napi::CallbackInfo&) { acceptor_->resume(); }
  void hold(const Napi::CallbackInfo&) { acceptor_->hold(); }
  void release(const Napi::CallbackInfo&) { acceptor_->release(); }
  void recheck(const Napi::CallbackInfo&) { acceptor_->recheck(); }
  void ref(const Napi::CallbackInfo&) { acceptor_->ref(true); }
  void unref(const Napi::CallbackInfo&) { acceptor_->ref(false); }

  void close(const Napi::CallbackInfo& info) {
    Args args(info);
    acceptor_->close(args.flag(0));
    environment_.remove(this);
    if (std::exchange(held_, false)) Unref();
  }

  Napi::Value fds(const Napi::CallbackInfo& info) {
    const std::vector<int> list = acceptor_->fds();
    Napi::Array array = Napi::Array::New(info.Env(), list.size());
    for (uint32_t i = 0; i < list.size(); i++) array.Set(i, list[i]);
    return array;
  }

  void onConnection(Fd connection, int slot) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    const napi_value fd = Napi::Number::New(env, connection.get());
    const napi_value owner = Napi::Number::New(env, slot);
    if (callBack(env, context_, Value(), onConnection_.Value(), {fd, owner})) static_cast<void>(connection.release());
  }

  void onError(int error, int fd) override {
    const Napi::Env env = Env();
    Napi::HandleScope scope(env);
    callBack(env, context_, Value(), onError_.Value(), {Napi::Number::New(env, error), Napi::Number::New(env, fd)});
  }

  Environment& environment_;
  Napi::AsyncContext context_;
  Napi::Reference<Napi::ArrayBuffer> board_;
  Napi::FunctionReference onConnection_;
  Napi::FunctionReference onError_;
  std::shared_ptr<Acceptor> acceptor_;
  bool held_ = false;
};

}  // namespace

Napi::Function AcceptorClass(Napi::Env env) { return AcceptorObject::define(env); }

}  // namespace drover
