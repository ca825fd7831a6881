// The event loop's mark on the board. See loop_stamp.cc.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "board.h"
#include "loop_handle.h"

namespace drover {

class LoopStamp {
 public:
  int start(LoopHandles& handles, Board board);
  void stop();
  // Where it counts this loop's turns; not valid before start().
  const Board& board() const { return board_; }
  // Out of poll: from now on this loop is not idle.
  void leftPoll();
  // As if it had left poll only now: it has been busy for long, and can take connections again.
  void renew();
  // Whether this loop was out of poll for longer than --stall-ms in the last kStallRememberedNs.
  bool blockedLately() const;
  // Calls it once, before this loop goes to poll again: after its timers and immediates, which may block.
  void beforePoll(std::function<void()> call) { beforePoll_.push_back(std::move(call)); }

 private:
  void enterPoll();
  void noteBlocked(uint64_t now);

  Board board_;
  LoopHandle<uv_prepare_t> prepare_;
  LoopHandle<uv_check_t> check_;
  // Whether it was ready when it last went to poll: loading an app takes long, and that is over.
  bool ready_ = false;
  std::vector<std::function<void()>> beforePoll_;
};

Napi::Value StartLoopStamp(const Napi::CallbackInfo& info);
Napi::Value StampLoop(const Napi::CallbackInfo& info);

}  // namespace drover
