// The policies: numbers in, decision out.
#include <algorithm>
#include <array>
#include <numeric>

#include "check.h"
#include "gate.h"
#include "least_loaded.h"
#include "steer_weighted.h"
#include "theft.h"

using namespace drover;

namespace {
void testJudge() {
  TestBoard board;
  board.ready(1);
  BoardRow& row = board.row(0);
  const uint64_t now = 1000 * kMs;
  CHECK(judge(row, 0, now, 20 * kMs).eligible && judge(row, 0, now, 20 * kMs).idle);
  store(row.loopStamp, now - 20 * kMs);
  CHECK(judge(row, 0, now, 20 * kMs).eligible && !judge(row, 0, now, 20 * kMs).idle);
  store(row.loopStamp, now - 20 * kMs - 1);
  CHECK(!judge(row, 0, now, 20 * kMs).eligible);
  // Newer than our look at the clock.
  store(row.loopStamp, now + kMs);
  CHECK(judge(row, 0, now, 20 * kMs).eligible);
  store(row.loopStamp, uint64_t{0});
  // Late in this turn, and not in the next.
  setLate(row, load(row.loopTurns));
  CHECK(!judge(row, 0, now, 20 * kMs).eligible && !judge(row, 0, now, 20 * kMs).idle);
  increment(row.loopTurns);
  CHECK(judge(row, 0, now, 20 * kMs).eligible && judge(row, 0, now, 20 * kMs).idle);

  store(row.connections, 3u);
  store(row.requestsInFlight, 2u);
  store(row.handicap, 10u);
  CHECK(judge(row, 5, now, kMs).load == 20);
  // Blocked in the last ten seconds; but not longer ago, nor never.
  store(row.blockedAt, now);
  CHECK(judge(row, 0, now, kMs).load == 19 && judge(row, 0, now + kStallRememberedNs - 1, kMs).load == 19);
  CHECK(judge(row, 0, now + kStallRememberedNs, kMs).load == 15);
  store(row.blockedAt, uint64_t{0});
  // What is under way counts against both limits.
  store(row.connectionLimit, 5u);
  CHECK(judge(row, 1, now, kMs).eligible && !judge(row, 2, now, kMs).eligible);
  store(row.connectionLimit, kNoLimit);
  store(row.requestLimit, 3u);
  CHECK(judge(row, 0, now, kMs).eligible && !judge(row, 1, now, kMs).eligible);
  store(row.requestLimit, kNoLimit);
  store(row.exhausted, 1u);
  CHECK(!judge(row, 0, now, kMs).eligible);
  store(row.exhausted, 0u);
  for (const State state : {State::kFree, State::kStarting, State::kDraining, State::kGone}) {
    store(row.state, static_cast<uint32_t>(state));
    CHECK(!judge(row, 0, now, kMs).eligible);
  }
}

void testLeastLoaded() {
  using Candidates = std::vector<Candidate>;
  CHECK(leastLoaded(Candidates{}, 1) == -1);
  CHECK(leastLoaded(Candidates{{false, true, 0}}, 1) == -1);
  CHECK(leastLoaded(Candidates{{true, true, 5}, {false, true, 0}, {true, false, 4}, {true, true, 9}}, 1) == 2);
  // Equals share.
  const Candidates equals = {{true, true, 1}, {true, true, 1}, {true, true, 2}, {true, true, 1}};
  std::array<int, 4> chosen{};
  for (uint32_t random = 0; random < 30000; random++) chosen[static_cast<size_t>(leastLoaded(equals, random * 2654435761u))]++;
  CHECK(chosen[2] == 0);
  for (const size_t i : {0, 1, 3}) CHECK(chosen[i] > 9000 && chosen[i] < 11000);
}

void testTheft() {
  TestBoard board;
  board.ready(2);
  const Board thief = board.worker(0);
  BoardRow& owner = board.row(1);
  constexpr int kSlot = 1;
  CHECK(otherOwner(thief, kSlot) == nullptr);
  store(thief.slot(kSlot).owner, 1u);
  CHECK(otherOwner(thief, kSlot) == nullptr);
  store(thief.slot(kSlot).owner, 2u);
  CHECK(otherOwner(thief, kSlot) == &owner);
  const uint64_t now = 1000 * kMs;

  CHECK(canCome(owner, 1, now));
  // Long out of poll, but maybe accepting all the time.
  store(owner.loopStamp, now - 500 * kMs);
  CHECK(canCome(owner, 1, now));
  store(owner.loopStamp, uint64_t{0});
  // With the others of its queue it is full before it comes to the last.
  store(owner.connectionLimit, 3u);
  CHECK(canCome(owner, 3, now) && !canCome(owner, 4, now));
  store(owner.connectionLimit, kNoLimit);
  store(owner.state, static_cast<uint32_t>(State::kDraining));
  CHECK(!canCome(owner, 1, now));
  store(owner.state, static_cast<uint32_t>(State::kReady));

  const auto accept = [&] { std::atomic_ref<uint32_t>(thief.slot(kSlot).accepted).fetch_add(1); };
  // What may be taken is, and counted as the slot's: no sign of life of the owner's.
  const auto takes = [&](uint32_t queued, uint32_t ownQueued, uint64_t at, LeftToOwner& left) {
    const bool may = isBetterWithUs(thief, kSlot, owner, queued, [&] { return ownQueued; }, at, left);
    if (may) accept();
    return may;
  };
  // It would hold more than we do even so.
  LeftToOwner fresh;
  CHECK(takes(2, 0, now, fresh) && !takes(2, 1, now, fresh));
  // Left to it at the first look; from an owner that does not move one at each look, and all after --stall-ms (20 by default).
  LeftToOwner left;
  CHECK(!takes(1, 0, now, left) && !takes(1, 0, now + kMs, left) && takes(1, 0, now + 2 * kMs, left) && !takes(1, 0, now + 3 * kMs, left));
  CHECK(takes(1, 0, now + 20 * kMs, left) && takes(1, 0, now + 20 * kMs, left));
  // It accepts, or turns its loop: it is at work.
  LeftToOwner working;
  CHECK(!takes(1, 0, now, working));
  store(owner.loopTurns, uint64_t{7});
  CHECK(!takes(1, 0, now + 20 * kMs, working) && takes(1, 0, now + 22 * kMs, working));
  accept();
  CHECK(!takes(1, 0, now + 40 * kMs, working));
  // Who has something else to do, or clearly more to carry, waits until it is stalled.
  for (const auto& [requests, connections] : {std::pair{1u, 0u}, std::pair{0u, 4u}}) {
    store(thief.own().requestsInFlight, requests);
    store(thief.own().connections, connections);
    LeftToOwner busy;
    CHECK(!takes(1, 0, now, busy) && !takes(1, 0, now + 10 * kMs, busy) && takes(1, 0, now + 20 * kMs, busy));
  }
}

void testGate() {
  TestBoard board;
  board.ready(4);
  const uint64_t now = 1000 * kMs;
  const auto connections = [&](std::array<uint32_t, 4> counts) {
    for (int i = 0; i < 4; i++) store(board.row(i).connections, counts[static_cast<size_t>(i)]);
  };
  connections({3, 0, 0, 0});
  CHECK(aboveAverage(board.worker(0), now));
  connections({2, 0, 0, 0});
  CHECK(!aboveAverage(board.worker(0), now));
  connections({100, 100, 100, 100});
  CHECK(!aboveAverage(board.worker(0), now));
  connections({1000, 990, 990, 990});
  CHECK(!aboveAverage(board.worker(0), now));
  connections({1020, 1000, 1000, 1000});
  CHECK(aboveAverage(board.worker(0), now) && !aboveAverage(board.worker(1), now));
  // The only ones below are out of the question: nobody would come.
  connections({50, 0, 0, 0});
  store(board.row(1).state, static_cast<uint32_t>(State::kDraining));
  store(board.row(2).connectionLimit, 0u);
  store(board.row(3).loopStamp, now - 21 * kMs);
  CHECK(!aboveAverage(board.worker(0), now));
  // --stall-ms says who is stalled.
  store(board.master().header().stallNs, 30 * kMs);
  CHECK(aboveAverage(board.worker(0), now));
}

uint32_t sumOf(const std::vector<uint32_t>& shares) { return std::accumulate(shares.begin(), shares.end(), 0u); }

// What a program answers for a random number: the few instructions it may consist of.
uint32_t answerOf(const std::vector<struct sock_filter>& program, uint32_t random) {
  uint32_t a = 0;
  for (size_t at = 0; at < program.size(); at++) {
    const struct sock_filter& instruction = program[at];
    switch (instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS: a = random; break;
      case BPF_ALU | BPF_AND | BPF_K: a &= instruction.k; break;
      case BPF_JMP | BPF_JGE | BPF_K: at += a >= instruction.k ? instruction.jt : instruction.jf; break;
      case BPF_RET | BPF_K: return instruction.k;
      default: CHECK(false);
    }
  }
  CHECK(false);
  return 0;
}

void testWeigh() {
  using Candidates = std::vector<Candidate>;
  CHECK(weigh(Candidates{}, 5).empty());
  CHECK(sumOf(weigh(Candidates{{false, true, 0}, {false, true, 1}}, 5)) == 0);
  // Even loads, even shares; what is left over by rounding goes to somebody.
  const auto even = weigh(Candidates(3, {true, true, 7}), 5);
  CHECK(sumOf(even) == kWhole && *std::max_element(even.begin(), even.end()) - *std::min_element(even.begin(), even.end()) <= 3);
  // All to the one that is far below, and none to who may not.
  CHECK(weigh(Candidates{{true, true, 100}, {true, true, 0}, {false, true, 0}}, 10) == (std::vector<uint32_t>{0, kWhole, 0}));
  // To one level: 20 arrivals over 0 and 4 make 12 each.
  const auto shares = weigh(Candidates{{true, true, 0}, {true, true, 4}, {true, true, 50}}, 20);
  CHECK(shares[2] == 0 && shares[0] > kWhole * 59 / 100 && shares[0] < kWhole * 61 / 100);
  // Few are expected, and a burst comes: it is not to go all to the one that holds a few less than the others.
  const auto few = weigh(Candidates{{true, true, 0}, {true, true, 4}, {true, true, 4}, {true, true, 4}}, 0);
  CHECK(few[0] < kWhole / 2 && few[1] > kWhole / 8);
  // Whatever the loads: the shares make a whole, nobody above another gets more, and the program draws just those shares.
  uint32_t random = 1;
  for (int round = 0; round < 200; round++) {
    Candidates candidates;
    for (int i = 0; i < 1 + round % 64; i++) {
      random = random * 1664525u + 1013904223u;
      candidates.push_back({random >> 28 != 0, true, random >> 20 & 0xff});
    }
    const auto drawn = weigh(candidates, round);
    const bool anybody = std::any_of(candidates.begin(), candidates.end(), [](const Candidate& one) { return one.eligible; });
    CHECK(sumOf(drawn) == (anybody ? kWhole : 0));
    for (size_t i = 0; i < drawn.size(); i++) CHECK(candidates[i].eligible || drawn[i] == 0);
    if (!anybody || round % 40 != 0) continue;
    std::vector<uint32_t> counted(drawn.size());
    const auto program = weightedProgram(drawn);
    for (uint32_t value = 0; value < kWhole; value++) counted[answerOf(program, value | 0xabcd0000u)]++;
    CHECK(counted == drawn);
  }
  CHECK(!differMaterially(even, even) && differMaterially(even, shares) && differMaterially(even, std::vector<uint32_t>{kWhole}));
  CHECK(differMaterially(std::vector<uint32_t>{0, kWhole}, std::vector<uint32_t>{1, kWhole - 1}));
}
}  // namespace

void testPolicies() {
  testJudge();
  testLeastLoaded();
  testTheft();
  testGate();
  testWeigh();
}
