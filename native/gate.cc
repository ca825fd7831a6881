// The gate of `exclusive`. The kernel's row of waiters is fair about wake-ups, not about connections: a worker whose connections last
// longer, or that has lived longer, keeps more and gets as many new ones. Above the average it leaves the row until it is not.
//
// Compared are workers that could take a connection now: ready, below their limits, not stalled. A blocked worker with few connections must not hold
// the others back. Whoever is gated has, by definition of an average, somebody below it who is not: a connection never waits for the gate.
#include "gate.h"

#include <algorithm>

#include "least_loaded.h"

namespace drover {

namespace {
constexpr uint64_t kSlack = 2;
constexpr uint64_t kSlackPercent = 1;
}  // namespace

bool aboveAverage(const Board& board, uint64_t now) {
  const uint64_t own = load(board.own().connections);
  uint64_t sum = own;
  uint64_t workers = 1;
  bool below = false;
  const uint64_t stallNs = board.stallNs();
  for (BoardRow& row : board.rows()) {
    if (&row == &board.own() || !judge(row, 0, now, stallNs).eligible) continue;
    const uint64_t connections = load(row.connections);
    sum += connections;
    workers++;
    below |= connections < own;
  }
  // In whole numbers: own > average + max(2, 1 % of it).
  return below && own * workers > sum + std::max(kSlack * workers, sum * kSlackPercent / 100);
}

}  // namespace drover
