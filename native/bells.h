// Bells of workers, to ring them by row of the board. See bells.cc.
#pragma once

#include <unordered_map>

#include "fd.h"

namespace drover {

// A bell that nobody has heard yet may ring again: they become one.
void ringBell(const Fd& bell);

// Bells by row of the board.
class Bells {
 public:
  // Takes the descriptor; one that is not valid takes the row's bell away.
  void set(int row, Fd bell);
  bool has(int row) const { return bells_.contains(row); }
  void ring(int row) const;

 private:
  std::unordered_map<int, Fd> bells_;
};

}  // namespace drover
