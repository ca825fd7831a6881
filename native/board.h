// The board: the shared page set in which every worker publishes what the others decide on. src/ipc/board.ts says who writes which
// field and what it means; this is the same layout for C++, and a test compares the two.
//
// Single writer per field, plain relaxed stores: no lock, so a worker killed at any instruction leaves the board usable.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "shared_bytes.h"

namespace drover {

enum class State : uint32_t { kFree = 0, kStarting = 1, kReady = 2, kDraining = 3, kGone = 4 };

struct BoardRow {
  uint32_t state;
  uint32_t pid;
  uint32_t generation;
  uint32_t slot;
  uint64_t loopStamp;
  uint64_t loopTurns;
  alignas(64) uint32_t connections;
  uint32_t requestsInFlight;
  double requests;
  uint32_t connectionLimit;
  uint32_t requestLimit;
  uint32_t handicap;
  uint32_t taken;
  uint32_t refused;
  uint32_t exhausted;
  uint32_t arriving;
  alignas(64) uint64_t accepted;
  uint64_t wakeups;
  uint64_t emptyWakeups;
  uint64_t stolen;
  uint64_t blockedAt;
  uint64_t reserved[2];
  uint64_t proxyRefused;
  alignas(64) uint32_t granted;
  uint64_t lateTurn;
};

constexpr int kMaxRows = 512;
constexpr int kMaxSlots = 256;
constexpr int kMaxPermits = 16;
// Who was stalled this lately may be again.
constexpr uint64_t kStallRememberedNs = 10'000'000'000;

// The place of row -1: what is not any one worker's.
struct BoardHeader {
  // Where a row has its state: never kReady, so that row -1, "nobody", is never eligible.
  uint32_t state;
  uint32_t waiting;
  uint64_t fallbacks;
  // Rows from here on have never been used: nobody need look at them.
  uint32_t rowsUsed;
  uint32_t orphaned;
  uint64_t stallNs;
  uint32_t sticky;
  alignas(64) uint64_t permits[kMaxPermits];
  std::byte reserved[64];
};

// After the rows: what belongs to a slot's sockets, whichever worker serves them.
struct SlotBoard {
  uint32_t owner;
  uint32_t selected;
  uint32_t accepted;
  std::byte reserved[52];
};

constexpr size_t slotOffset(int slot) { return sizeof(BoardHeader) + kMaxRows * sizeof(BoardRow) + static_cast<size_t>(slot) * sizeof(SlotBoard); }
constexpr size_t kBoardBytes = slotOffset(kMaxSlots);

static_assert(sizeof(BoardRow) == 256 && sizeof(BoardHeader) == 256 && sizeof(SlotBoard) == 64);
static_assert(offsetof(BoardRow, connectionLimit) == 80 && offsetof(BoardRow, requestLimit) == 84 && offsetof(BoardRow, handicap) == 88);
static_assert(offsetof(BoardRow, taken) == 92 && offsetof(BoardRow, refused) == 96 && offsetof(BoardRow, exhausted) == 100 && offsetof(BoardRow, arriving) == 104);
static_assert(offsetof(BoardHeader, rowsUsed) == 16 && offsetof(BoardHeader, waiting) == 4 && offsetof(BoardHeader, fallbacks) == 8 && offsetof(BoardHeader, permits) == 64);
static_assert(offsetof(BoardHeader, orphaned) == 20 && offsetof(BoardHeader, stallNs) == 24 && offsetof(BoardHeader, sticky) == 32);
static_assert(offsetof(BoardRow, state) == 0 && offsetof(BoardRow, pid) == 4 && offsetof(BoardRow, generation) == 8);
static_assert(offsetof(BoardRow, slot) == 12 && offsetof(BoardRow, loopStamp) == 16 && offsetof(BoardRow, loopTurns) == 24);
static_assert(offsetof(BoardRow, connections) == 64 && offsetof(BoardRow, requestsInFlight) == 68 && offsetof(BoardRow, requests) == 72);
static_assert(offsetof(BoardRow, accepted) == 128 && offsetof(BoardRow, wakeups) == 136);
static_assert(offsetof(BoardRow, emptyWakeups) == 144 && offsetof(BoardRow, stolen) == 152 && offsetof(BoardRow, blockedAt) == 160 && offsetof(BoardRow, proxyRefused) == 184 && offsetof(BoardRow, granted) == 192 && offsetof(BoardRow, lateTurn) == 200);

template <typename T>
T load(T& field) {
  return std::atomic_ref<T>(field).load(std::memory_order_relaxed);
}
template <typename T>
void store(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_relaxed);
}
// In this turn of its loop it held a permit and has not come for a connection for --stall-ms. It is over with the next turn.
inline bool isLate(BoardRow& row) { return load(row.lateTurn) == load(row.loopTurns) + 1; }
// Whether it was blocked in the last kStallRememberedNs, and may be again.
inline bool wasBlockedLately(BoardRow& row, uint64_t now) {
  const uint64_t at = load(row.blockedAt);
  return at != 0 && at + kStallRememberedNs > now;
}
inline void setLate(BoardRow& row, uint64_t turn) { store(row.lateTurn, turn + 1); }
// Only by the field's one writer: no locked instruction.
inline void increment(uint64_t& field) { store(field, load(field) + 1); }

// One process's view of the board: all of it, and, in a worker, which row is its own. Holds the memory: a view is good for as long as it lives.
class Board {
 public:
  Board() = default;
  // Of the master, which has no row. When the memory is too small for a board, valid() is false.
  explicit Board(SharedBytes memory);
  // Of a worker: `rowOffset` in bytes, as src/ipc/board.ts counts it: row 0 comes after the header. Without a whole row there, not valid().
  Board(SharedBytes memory, size_t rowOffset);

  bool valid() const { return header_ != nullptr; }
  BoardRow& own() const { return *own_; }
  BoardHeader& header() const { return *header_; }
  // Rows that are or have been in use.
  std::span<BoardRow> rows() const { return {rows_, std::min<size_t>(load(header_->rowsUsed), kMaxRows)}; }
  SlotBoard& slot(int slot) const { return slots_[slot]; }
  // `owner` as SlotBoard has it: the row's number and one.
  BoardRow& rowOf(uint32_t owner) const { return rows_[owner - 1]; }
  // Out of poll for longer than this a worker is stalled. A board whose master has not said has the option's default.
  uint64_t stallNs() const {
    const uint64_t told = load(header_->stallNs);
    return told != 0 ? told : 20'000'000;
  }
  // Whether a connection is its slot's alone, whatever that is busy with.
  bool sticky() const { return load(header_->sticky) != 0; }
  // Whether some other worker that takes connections waits in poll right now.
  bool siblingIdle() const;

 private:
  SharedBytes memory_;
  BoardHeader* header_ = nullptr;
  BoardRow* rows_ = nullptr;
  SlotBoard* slots_ = nullptr;
  BoardRow* own_ = nullptr;
};

}  // namespace drover
