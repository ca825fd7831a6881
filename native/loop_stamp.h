// The event loop's mark on the board. See loop_stamp.cc.
#pragma once

#include <napi.h>

#include "board.h"
#include "loop_handle.h"

namespace drover {

class LoopStamp {
 public:
  int start(LoopHandles& handles, Board board);
  void stop();
  // Out of poll: from now on this loop is not idle.
  void leftPoll();
  // As if it had left poll only now: it has been busy for long, and can take connections again.
  void renew();

 private:
  Board board_;
  LoopHandle<uv_prepare_t> prepare_;
  LoopHandle<uv_check_t> check_;
};

Napi::Value StartLoopStamp(const Napi::CallbackInfo& info);
Napi::Value StampLoop(const Napi::CallbackInfo& info);

}  // namespace drover
