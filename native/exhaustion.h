// Out of descriptors: the row on the board says so while it lasts, and a timer tries whether one can be had. See exhaustion.cc.
#pragma once

#include <functional>
#include <utility>

#include "board.h"
#include "loop_handle.h"

namespace drover {

class Exhaustion {
 public:
  // `tried` is called at each try; it is over when `is()` has become false.
  Exhaustion(Board board, std::function<void()> tried) : board_(board), tried_(std::move(tried)) {}

  int open(LoopHandles& handles) { return retry_.open(handles, this, uv_timer_init); }
  void close() { retry_.close(); }
  bool is() const { return is_; }
  // Whether that is news.
  bool begin();
  void end();

 private:
  void retry();

  Board board_;
  std::function<void()> tried_;
  LoopHandle<uv_timer_t> retry_;
  bool is_ = false;
};

}  // namespace drover
