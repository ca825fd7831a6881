// The loop stamp: 0 while this event loop waits in poll, else the CLOCK_MONOTONIC nanosecond at which it left; and a count of turns.
// uv_prepare and uv_check, any kernel; two looks at the clock a turn.
//
// It knows, too, whether this loop was blocked lately, for who would rather accept after what may block (acceptor.cc, wake.cc).
//
// The surprise: libuv calls the handlers of ready descriptors inside its poll phase, before uv_check. A request handler that blocks would
// block with the stamp still 0. So whoever is called first in that phase says so with leftPoll(): our acceptor does, and
// `stampLoop` lets the HTTP side do it when a request begins.
#include "loop_stamp.h"

#include <utility>

#include "args.h"
#include "environment.h"
#include "result.h"

namespace drover {

int LoopStamp::start(LoopHandles& handles, Board board) {
  if (!board.valid()) return -EINVAL;
  if (prepare_) return -EALREADY;
  if (const int status = prepare_.open(handles, this, uv_prepare_init); status < 0) return status;
  if (const int status = check_.open(handles, this, uv_check_init); status < 0) {
    prepare_.close();
    return status;
  }
  board_ = board;
  uv_prepare_start(prepare_.get(), [](uv_prepare_t* handle) { static_cast<LoopStamp*>(handle->data)->enterPoll(); });
  uv_check_start(check_.get(), [](uv_check_t* handle) {
    auto* self = static_cast<LoopStamp*>(handle->data);
    self->leftPoll();
    increment(self->board_.own().loopTurns);
  });
  leftPoll();
  return 0;
}

void LoopStamp::stop() {
  prepare_.close();
  check_.close();
  board_ = {};
  beforePoll_.clear();
}

void LoopStamp::enterPoll() {
  for (const auto& call : std::exchange(beforePoll_, {})) call();
  // JavaScript has run, and may have stopped us.
  if (!board_.valid()) return;
  noteBlocked(uv_hrtime());
  store(board_.own().loopStamp, uint64_t{0});
}

void LoopStamp::noteBlocked(uint64_t now) {
  if (now - load(board_.own().loopStamp) > board_.stallNs()) blockedAt_ = now;
}

void LoopStamp::leftPoll() {
  if (board_.valid() && load(board_.own().loopStamp) == 0) store(board_.own().loopStamp, uv_hrtime());
}

void LoopStamp::renew() {
  if (!board_.valid() || load(board_.own().loopStamp) == 0) return;
  const uint64_t now = uv_hrtime();
  noteBlocked(now);
  store(board_.own().loopStamp, now);
}

bool LoopStamp::blockedLately() const { return blockedAt_ != 0 && uv_hrtime() - blockedAt_ < kStallRememberedNs; }

Napi::Value StartLoopStamp(const Napi::CallbackInfo& info) {
  Args args(info);
  const Napi::ArrayBuffer buffer = args.buffer(0);
  const int row = args.integer(1);
  if (!args.valid() || row < 0) return result(info.Env(), -EINVAL);
  Environment& environment = Environment::of(info.Env());
  return result(info.Env(), environment.loopStamp.start(environment.handles, Board(environment.mappings.of(buffer), static_cast<size_t>(row))));
}

Napi::Value StampLoop(const Napi::CallbackInfo& info) {
  Environment::of(info.Env()).loopStamp.leftPoll();
  return info.Env().Undefined();
}

}  // namespace drover
