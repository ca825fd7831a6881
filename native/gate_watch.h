// The gate over time: whether this worker stands in the row of `exclusive` now. The policy is gate.cc's.
//
// It closes in the uv_check after an accept: all events of that batch have been handled by then, so no promise of the kernel's is broken. While it is closed a
// timer looks whether it may open.
#pragma once

#include <functional>
#include <utility>

#include "board.h"
#include "loop_handle.h"

namespace drover {

class GateWatch {
 public:
  // `changed` is called when it has closed or opened.
  GateWatch(Board board, std::function<void()> changed) : board_(board), changed_(std::move(changed)) {}

  int open(LoopHandles& handles);
  void close();
  bool isShut() const { return shut_; }
  void accepted();
  // After accepts that come later than the uv_check of their turn.
  void acceptedLate();

 private:
  void look();
  void lookAgain();

  Board board_;
  std::function<void()> changed_;
  LoopHandle<uv_check_t> check_;
  LoopHandle<uv_timer_t> timer_;
  bool shut_ = false;
};

}  // namespace drover
