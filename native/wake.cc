// The bell: an eventfd(2) (Linux 2.6.27) per worker, made by the master, in the worker's event loop. Rung by the conductor when it has granted this worker a
// connection or found one that nobody comes for (rescue.cc), and by whoever hands it a permit. It says only "look": how many grants, which permit, is written
// on the board, so a bell that rings once for two, or for nothing (an earlier worker of the row left it ringing), does no harm.
//
// A grant counts as taken once accept4 has been called for it, before JavaScript sees the connection: what JavaScript takes its time with is not lost, the
// conductor sees it untaken and gives it to another.
#include "wake.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "args.h"
#include "clock.h"
#include "environment.h"
#include "result.h"

namespace drover {

namespace {
// Grants taken in one turn of the loop.
constexpr int kPerTurn = 8;
}  // namespace

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
  if (permit_.look()) tellConductor();
  if (permit_.held() != held) each([](WakeListener& listener) { listener.permitChanged(); });
  if (!loopStamp_->blockedLately()) return take(held);
  // Not before what may block (acceptor_accept.cc).
  loopStamp_->beforePoll([this, held] {
    if (board_.valid()) take(held);
  });
}

// `held`: a permit, before the bell.
void Wake::take(bool held) {
  takeGrants();
  // With news of a permit polling begins, or ends; without, it is to look at what we were not woken for.
  const bool holder = held && permit_.held();
  if (board_.valid()) each([holder](WakeListener& listener) { listener.rescue(holder); });
}

void Wake::takeGrants() {
  BoardRow& row = board_.own();
  // Those that come while we are at it ring again.
  const uint32_t granted = std::atomic_ref<uint32_t>(row.granted).load(std::memory_order_acquire);
  const auto left = [&] { return static_cast<int32_t>(granted - load(row.taken)) > 0; };
  bool unasked = std::exchange(unasked_, false);
  if (!left() && !unasked) return;
  bool accepted = true;
  int count = 0;
  while (accepted && board_.valid() && count < kPerTurn) {
    accepted = false;
    each([&](WakeListener& listener) {
      if (!board_.valid() || !(left() || unasked) || !listener.takeGranted()) return;
      accepted = true;
      unasked = false;
      count++;
    });
  }
  if (!board_.valid()) return;
  if (count == 0) increment(row.emptyWakeups);
  // Requests of those we have come first; out of poll for long, we should be taken for stalled.
  if (accepted && left()) return ringBell(own_);
  bool more = false;
  // For the rest there was nothing, or we are full: then somebody else shall have them.
  if (left()) {
    store(row.taken, granted);
    more = true;
  }
  const bool waiting = isAnyWaiting();
  each([&](WakeListener& listener) { more |= listener.seesMore() || (waiting && listener.takesMore()); });
  if (more) tellConductor();
}

bool Wake::confirmPermit() {
  if (!permit_.held()) return false;
  if (permit_.confirm()) return true;
  if (permit_.look()) tellConductor();
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

void Wake::tellOrphaned() {
  if (!board_.valid()) return;
  std::atomic_ref<uint32_t>(board_.header().orphaned).fetch_add(1, std::memory_order_relaxed);
  tellConductor();
}

// After what makes us able to take more is on the board. Changed by nothing, not only read: the conductor writes it and then looks at the board once more (grant.cc),
// and either we see that or it sees us.
bool Wake::isAnyWaiting() const {
  return board_.valid() && std::atomic_ref<uint32_t>(board_.header().waiting).fetch_add(0, std::memory_order_acq_rel) > 0;
}

void Wake::tellIfWaiting() {
  if (isAnyWaiting()) tellConductor();
}

void Wake::takeIfWaiting() {
  if (!isAnyWaiting()) return;
  unasked_ = true;
  ringBell(own_);
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
  const Board board(environment.mappings.of(buffer), (static_cast<size_t>(row) + 1) * sizeof(BoardRow));
  return result(info.Env(), environment.wake.start(environment.handles, environment.loopStamp, board, row, permits, Fd(own), Fd(conductor)));
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
