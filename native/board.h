// The board: the shared page set in which every worker publishes what the others decide on. src/ipc/board.ts says who writes which
// field and what it means; this is the same layout for C++, and a test compares the two.
//
// Single writer per field, plain relaxed stores: no lock, so a worker killed at any instruction leaves the board usable.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

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
  alignas(64) uint64_t accepted;
  uint64_t wakeups;
  uint64_t emptyWakeups;
  uint64_t stolen;
  alignas(64) std::byte reserved[64];
};

static_assert(sizeof(BoardRow) == 256);
static_assert(offsetof(BoardRow, state) == 0 && offsetof(BoardRow, pid) == 4 && offsetof(BoardRow, generation) == 8);
static_assert(offsetof(BoardRow, slot) == 12 && offsetof(BoardRow, loopStamp) == 16 && offsetof(BoardRow, loopTurns) == 24);
static_assert(offsetof(BoardRow, connections) == 64 && offsetof(BoardRow, requestsInFlight) == 68 && offsetof(BoardRow, requests) == 72);
static_assert(offsetof(BoardRow, accepted) == 128 && offsetof(BoardRow, wakeups) == 136);
static_assert(offsetof(BoardRow, emptyWakeups) == 144 && offsetof(BoardRow, stolen) == 152);

template <typename T>
T load(T& field) {
  return std::atomic_ref<T>(field).load(std::memory_order_relaxed);
}
template <typename T>
void store(T& field, T value) {
  std::atomic_ref<T>(field).store(value, std::memory_order_relaxed);
}
// Only by the field's one writer: no locked instruction.
inline void increment(uint64_t& field) { store(field, load(field) + 1); }

// One process's view of the board: all rows, and which one is its own. Does not own the memory.
class Board {
 public:
  Board() = default;
  // `rowOffset` in bytes, as src/ipc/board.ts counts it: row 0 comes after the header. Without a whole row there, valid() is false.
  Board(std::span<std::byte> memory, size_t rowOffset);

  bool valid() const { return own_ != nullptr; }
  BoardRow& own() const { return *own_; }
  // Whether some other worker that takes connections waits in poll right now.
  bool siblingIdle() const;

 private:
  std::span<BoardRow> rows_;
  BoardRow* own_ = nullptr;
};

Napi::Value BoardLayout(const Napi::CallbackInfo& info);

}  // namespace drover
