// What the tests of the plain halves share: a board in memory, rows that are ready, and CHECK, which ends the program where it does not hold.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "board.h"
#include "clock.h"

#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                             \
    }                                                                           \
  } while (false)

constexpr uint32_t kNoLimit = 0x7fffffff;
constexpr uint64_t kMs = 1'000'000;

// The memory of a board, and views of it.
class TestBoard {
 public:
  TestBoard() : lines_(drover::kBoardBytes / sizeof(Line)) {}
  drover::Board master() { return drover::Board(bytes_); }
  drover::Board worker(int row) { return drover::Board(bytes_, static_cast<size_t>(row + 1) * sizeof(drover::BoardRow)); }
  drover::BoardRow& row(int at) { return worker(at).own(); }
  // Rows 0 to count - 1: ready, idle, without limits.
  void ready(int count) {
    for (int i = 0; i < count; i++) {
      drover::BoardRow& one = row(i);
      drover::store(one.slot, static_cast<uint32_t>(i));
      drover::store(one.connectionLimit, kNoLimit);
      drover::store(one.requestLimit, kNoLimit);
      drover::store(one.state, static_cast<uint32_t>(drover::State::kReady));
    }
    drover::store(master().header().rowsUsed, static_cast<uint32_t>(count));
  }

 private:
  struct alignas(64) Line {
    std::byte bytes[64];
  };
  std::vector<Line> lines_;
  drover::SharedBytes bytes_ = std::make_shared<const std::span<std::byte>>(reinterpret_cast<std::byte*>(lines_.data()), lines_.size() * sizeof(Line));
};

void testPolicies();
void testAccounts();
void testPermits();
void testPermitsOverdue();
void testFirstOfTraffic();
void testGrants();
void testRescue();
void testRescueOfTheDead();
