// Who has more than its share of connections. See gate.cc.
#pragma once

#include <cstdint>

#include "board.h"

namespace drover {

// Whether this worker should leave the row of waiters for now: its connections exceed the average of those who could take one by more than the slack.
bool aboveAverage(const Board& board, uint64_t now);

}  // namespace drover
