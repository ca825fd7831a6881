// Whether a worker takes a connection that waits at a sibling's socket. See theft.cc.
#pragma once

#include <cstdint>
#include <functional>

#include "board.h"

namespace drover {

// Between two looks at a queue that was left to its owner.
constexpr uint64_t kAsideMs = 2;

// A connection that was left to the socket's owner: since when the owner has not moved (0: none was), how far it was then, and what we have taken since.
struct LeftToOwner {
  uint64_t since = 0;
  uint64_t lastTaken = 0;
  uint64_t ownerTurns = 0;
  uint32_t slotAccepted = 0;
  uint32_t taken = 0;
};

// Who owns the slot: null when nobody does, or we do.
BoardRow* otherOwner(const Board& board, int slot);
// Whether somebody else is at the slot's post, and takes connections, if perhaps not now.
bool isServed(const Board& board, int slot);
// Whether an owner can come for the `queued` connections (at least one) at its socket.
bool canCome(BoardRow& owner, uint32_t queued, uint64_t now);
// Whether one of these is better with us than with an owner who can. `ownQueue` counts what waits at our own slot's sockets, with system calls: only where that
// decides. Notes in `left` what it has seen.
bool isBetterWithUs(const Board& board, int slot, BoardRow& owner, uint32_t queued, const std::function<uint32_t()>& ownQueue, uint64_t now, LeftToOwner& left);

}  // namespace drover
