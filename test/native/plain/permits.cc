// Permits: from one to the next, two at once, taken away, and by many threads at the same time.
#include "permit.h"

#include <sys/eventfd.h>

#include <atomic>
#include <thread>
#include <vector>

#include "bells.h"
#include "check.h"

using namespace drover;

namespace {
std::atomic_ref<uint64_t> word(TestBoard& board, int index) { return std::atomic_ref<uint64_t>(board.master().header().permits[index]); }
uint64_t of(uint32_t epoch, int row) { return static_cast<uint64_t>(epoch) << 32 | static_cast<uint32_t>(row + 1); }
int ownerOf(uint64_t value) { return static_cast<int>(static_cast<uint32_t>(value)) - 1; }

Bells bellsFor(int count) {
  Bells bells;
  for (int row = 0; row < count; row++) bells.set(row, Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  return bells;
}

void testOne() {
  TestBoard board;
  board.ready(4);
  const Bells bells = bellsFor(4);
  const uint64_t now = monotonicNow();
  Permit permit;
  permit.start(board.worker(0), 0, 2);
  CHECK(!permit.held() && !permit.look() && !permit.held() && !permit.confirm());
  word(board, 1).store(of(5, 0));
  CHECK(!permit.look() && permit.held() && permit.confirm());
  // The least loaded idle one that has none gets it.
  word(board, 0).store(of(1, 2));
  store(board.row(1).connections, 3u);
  store(board.row(3).connections, 1u);
  CHECK(permit.pass(bells, now) && !permit.held());
  CHECK(ownerOf(word(board, 1).load()) == 3 && word(board, 1).load() >> 32 == 6);

  // Taken away, and given again: another epoch, so not what we think we have.
  word(board, 1).store(of(7, 0));
  CHECK(!permit.look() && permit.confirm());
  word(board, 1).store(of(9, 0));
  CHECK(!permit.confirm() && !permit.held());
  CHECK(!permit.look() && permit.held());

  // A second one, from somebody who did not know: nobody's, and the conductor is to hear of it.
  word(board, 0).store(of(2, 0));
  CHECK(permit.look() && permit.held() && permit.confirm());
  CHECK(ownerOf(word(board, 0).load()) == -1 && word(board, 0).load() >> 32 == 3);
  CHECK(!permit.look());

  // Nobody idle: to who has clearly less, else it stays.
  for (int row = 1; row < 4; row++) {
    store(board.row(row).loopStamp, now);
    store(board.row(row).connections, 3u);
  }
  CHECK(!permit.pass(bells, now) && permit.held());
  store(board.row(0).connections, 6u);
  CHECK(permit.pass(bells, now) && !permit.held());
}

// Eight workers and one that takes permits away at random, all at once: none is lost, none is held twice.
void testHammer() {
  constexpr int kWorkers = 8;
  constexpr int kCount = 3;
  TestBoard board;
  board.ready(kWorkers);
  const Bells bells = bellsFor(kWorkers);
  for (int i = 0; i < kCount; i++) word(board, i).store(of(0, i));
  std::atomic<bool> stop = false;
  std::atomic<uint64_t> passed = 0;
  std::vector<std::thread> threads;
  for (int row = 0; row < kWorkers; row++) {
    threads.emplace_back([&, row] {
      Permit permit;
      permit.start(board.worker(row), row, kCount);
      BoardRow& own = board.row(row);
      while (!stop) {
        permit.look();
        if (!permit.confirm()) {
          store(own.loopStamp, uint64_t{0});
          std::this_thread::yield();
          continue;
        }
        store(own.loopStamp, monotonicNow());
        store(own.connections, load(own.connections) + 1);
        if (permit.pass(bells, monotonicNow())) passed++;
      }
      permit.look();
    });
  }
  std::thread deposer([&] {
    uint32_t random = 1;
    while (!stop) {
      random = random * 1664525u + 1013904223u;
      const auto permit = word(board, static_cast<int>(random >> 16) % kCount);
      uint64_t value = permit.load();
      permit.compare_exchange_strong(value, of(static_cast<uint32_t>(value >> 32) + 1, static_cast<int>(random >> 8) % kWorkers));
    }
  });
  while (passed < 20'000) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  deposer.join();
  std::vector<int> held(kWorkers);
  for (int row = 0; row < kWorkers; row++) {
    // Whatever was given at the end: one may be kept.
    Permit permit;
    permit.start(board.worker(row), row, kCount);
    permit.look();
  }
  for (int i = 0; i < kCount; i++) {
    const int owner = ownerOf(word(board, i).load());
    CHECK(owner >= -1 && owner < kWorkers);
    if (owner >= 0) CHECK(++held[static_cast<size_t>(owner)] == 1);
  }
}
}  // namespace

void testPermits() {
  testOne();
  testHammer();
}
