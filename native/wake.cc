// The bell: an eventfd(2) (Linux 2.6.27) per worker, made by the master, in the worker's event loop. Rung by the conductor when it has granted this worker a
// connection, and by whoever hands it a permit. It says only "look at the board": how many grants, which permit, is written there, so a bell that rings
// once for two, or for nothing (an earlier worker of the row left it ringing), does no harm.
//
// A grant counts as taken once accept4 has been called for it, before JavaScript sees the connection: what JavaScript takes its time with is not lost, the
// conductor sees it untaken and gives it to another.
#include "wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

#include "args.h"
#include "clock.h"
#include "environment.h"
#include "result.h"

namespace drover {

namespace {
void ringBell(const Fd& bell) {
  const uint64_t one = 1;
  // EAGAIN: the counter is full of rings nobody has heard yet.
  if (bell.valid()) static_cast<void>(write(bell.get(), &one, sizeof one));
}
}  // namespace

void Bells::set(int row, Fd bell) {
  if (bell.valid()) {
    bells_[row] = std::move(bell);
  } else {
    bells_.erase(row);
  }
}

void Bells::ring(int row) const {
  if (const auto found = bells_.find(row); found != bells_.end()) ringBell(found->second);
}

int Wake::start(LoopHandles& handles, LoopStamp& loopStamp, Board board, int row, int permits, Fd own, Fd conductor) {
  if (!board.valid() || permits > kMaxPermits) return -EINVAL;
  if (poll_) return -EALREADY;
  const int status = poll_.open(handles, this, [&own](uv_loop_t* loop, uv_poll_t* handle) { return uv_poll_init(loop, handle, own.get()); });
  if (status < 0) return status;
  loopStamp_ = &loopStamp;
  board_ = board;
  own_ = std::move(own);
  conductor_ = std::move(conductor);
  permit_.start(board, row, permits);
  uv_poll_start(poll_.get(), UV_READABLE, [](uv_poll_t* handle, int, int) { static_cast<Wake*>(handle->data)->onBell(); });
  return 0;
}

void Wake::stop() {
  poll_.close();
  own_.reset();
  conductor_.reset();
  peers_ = {};
  listeners_.clear();
  board_ = {};
}

template <typename Call>
void Wake::each(Call call) {
  std::erase_if(listeners_, [](const auto& listener) { return listener.expired(); });
  // JavaScript may add one meanwhile.
  const auto listeners = listeners_;
  for (const auto& weak : listeners) {
    if (const auto listener = weak.lock()) call(*listener);
  }
}

void Wake::onBell() {
  loopStamp_->leftPoll();
  increment(board_.own().wakeups);
  uint64_t count = 0;
  static_cast<void>(read(own_.get(), &count, sizeof count));
  const bool held = permit_.held();
  permit_.look();
  if (permit_.held() != held) each([](WakeListener& listener) { listener.permitChanged(); });
  takeGrants();
}

void Wake::takeGrants() {
  BoardRow& row = board_.own();
  // Those that come while we are at it ring again.
  const uint32_t granted = std::atomic_ref<uint32_t>(row.granted).load(std::memory_order_acquire);
  const auto left = [&] { return static_cast<int32_t>(granted - load(row.taken)) > 0; };
  if (!left()) return;
  bool accepted = true;
  bool any = false;
  while (accepted && board_.valid()) {
    accepted = false;
    each([&](WakeListener& listener) {
      if (board_.valid() && left()) accepted |= listener.takeGranted();
    });
    any |= accepted;
  }
  if (!board_.valid()) return;
  if (!any) increment(row.emptyWakeups);
  // For the rest there was nothing, or we are full.
  if (left()) store(row.taken, granted);
  bool more = load(board_.header().waiting) > 0;
  each([&](WakeListener& listener) { more |= listener.seesMore(); });
  if (more) tellConductor();
}

bool Wake::confirmPermit() {
  if (!permit_.held()) return false;
  if (permit_.confirm()) return true;
  permit_.look();
  if (permit_.held()) return true;
  each([](WakeListener& listener) { listener.permitChanged(); });
  return false;
}

void Wake::passPermit(bool mustGo) {
  if (!permit_.held()) return;
  if (!permit_.pass(peers_, monotonicNow())) {
    if (mustGo) tellConductor();
    return;
  }
  each([](WakeListener& listener) { listener.permitChanged(); });
}

void Wake::tellIfWaiting() {
  if (board_.valid() && load(board_.header().waiting) > 0) tellConductor();
}

void Wake::tellConductor() { ringBell(conductor_); }

// ---- binding

Napi::Value CreateBell(const Napi::CallbackInfo& info) {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return result(info.Env(), fd < 0 ? lastError() : fd);
}

Napi::Value StartWake(const Napi::CallbackInfo& info) {
  Args args(info);
  const Napi::ArrayBuffer buffer = args.buffer(0);
  const int row = args.integer(1);
  const int permits = args.integer(2);
  const int own = args.integer(3);
  const int conductor = args.integer(4);
  if (!args.valid() || row < 0 || row >= kMaxRows || permits < 0) return result(info.Env(), -EINVAL);
  Environment& environment = Environment::of(info.Env());
  const Board board(bytesOf(buffer), (static_cast<size_t>(row) + 1) * sizeof(BoardRow));
  const int status = environment.wake.start(environment.handles, environment.loopStamp, board, row, permits, Fd(own), Fd(conductor));
  if (status == 0) environment.wakeBoard = Napi::Persistent(buffer);
  return result(info.Env(), status);
}

Napi::Value SetWakePeer(const Napi::CallbackInfo& info) {
  Args args(info);
  const int row = args.integer(0);
  const int fd = args.integer(1);
  if (!args.valid()) return result(info.Env(), -EINVAL);
  Environment::of(info.Env()).wake.setPeer(row, Fd(fd));
  return result(info.Env(), 0);
}

}  // namespace drover
