// The loop stamp: 0 while this event loop waits in poll, else the CLOCK_MONOTONIC nanosecond at which it left; and a count of turns.
// uv_prepare and uv_check, any kernel; two looks at the clock a turn.
//
// It knows, too, whether this loop was blocked lately, for who would rather accept after what may block (acceptor_accept.cc, wake.cc).
//
// The surprise: libuv calls the handlers of ready descriptors inside its poll phase, before uv_check. A request handler that blocks would
// block with the stamp still 0. So whoever is called first in that phase says so with leftPoll(): our acceptor does, and
// `stampLoop` lets the HTTP side do it when a request begins.
#include "loop_stamp.h"

#include <cerrno>
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
  const auto calls = std::exchange(beforePoll_, {});
  for (const auto& call : calls) call();
  // JavaScript has run, and may have stopped us.
  if (!board_.valid()) return;
  // How long the loop may sleep is counted from its own clock, which JavaScript that took long has left behind: timers would be late by that.
  if (!calls.empty()) uv_update_time(prepare_.get()->loop);
  BoardRow& row = board_.own();
  noteBlocked(uv_hrtime());
  ready_ = load(row.state) == static_cast<uint32_t>(State::kReady);
  store(row.loopStamp, uint64_t{0});
}

void LoopStamp::noteBlocked(uint64_t now) {
  BoardRow& row = board_.own();
  if (ready_ && load(row.loopStamp) + board_.stallNs() < now) store(row.blockedAt, now);
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

// Mostly it never was, and then the clock is not asked.
bool LoopStamp::blockedLately() const { return board_.valid() && load(board_.own().blockedAt) != 0 && wasBlockedLately(board_.own(), uv_hrtime()); }

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
