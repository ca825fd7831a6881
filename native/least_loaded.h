// The one policy of who gets the next connection. See least_loaded.cc.
#pragma once

#include <cstdint>
#include <span>

#include "board.h"

namespace drover {

// How a worker looks to the policy: plain numbers, read off the board once.
struct Candidate {
  // May it be given a connection: ready, below its limits, not out of poll for too long, not out of descriptors?
  bool eligible = false;
  // Waits in poll right now.
  bool idle = false;
  // Connections, requests in flight, what has been sent its way and not arrived, a newcomer's handicap, and a charge for having been blocked lately.
  uint32_t load = 0;
};

// `underway`: connections given to the worker that it has not accepted yet.
Candidate judge(BoardRow& row, uint32_t underway, uint64_t now, uint64_t stallNs);

// Index of the eligible candidate with the least load, equals drawn by `random`; -1 when nobody is eligible.
int leastLoaded(std::span<const Candidate> candidates, uint32_t random);

}  // namespace drover
