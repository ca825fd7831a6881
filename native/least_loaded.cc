// Least loaded, for who decides outside the kernel: grants, permits and weights. steer_least.cc is the same policy as instructions.
//
// Load is connections + requests in flight + what is on its way: connections alone are a poor measure under HTTP/2 or unequal requests, requests alone
// under many idle connections. A blocked worker is not "very loaded" but out of the question, whatever its numbers say.
//
// A stamp does not see everything: libuv calls handlers within its poll phase, and who blocks in one that nothing of ours is called before (a database's answer, a
// file) looks idle. A holder of a permit is found by not coming for a connection: then it is late (permit.cc), until its loop
// turns. With other strategies the connection goes to another, and no more is lost than that.
//
// Who was blocked lately may be again, with what it was given a moment before: --stall-ms, until that is found out. So it is charged a little. The kernel's
// program does without: what waits at the socket of a blocked worker is a sibling's at once.
#include "least_loaded.h"

namespace drover {

namespace {
// What a worker that was blocked lately is charged: more than what idle workers differ by, so that it gets a connection when the others have something to do, and
// so little that it does not hold much less than they do.
constexpr uint32_t kBlockedCharge = 4;
}  // namespace

Candidate judge(BoardRow& row, uint32_t underway, uint64_t now, uint64_t stallNs) {
  Candidate candidate;
  const uint64_t leftPoll = load(row.loopStamp);
  const uint32_t connections = load(row.connections);
  const uint32_t requests = load(row.requestsInFlight);
  const bool ready = load(row.state) == static_cast<uint32_t>(State::kReady);
  const bool stalled = leftPoll != 0 && leftPoll + stallNs < now;
  const bool full = connections + underway >= load(row.connectionLimit) || requests + underway >= load(row.requestLimit);
  const bool late = isLate(row);
  candidate.eligible = ready && !stalled && !late && !full && load(row.exhausted) == 0;
  candidate.idle = leftPoll == 0 && !late;
  candidate.load = connections + requests + underway + load(row.handicap) + (wasBlockedLately(row, now) ? kBlockedCharge : 0);
  return candidate;
}

int leastLoaded(std::span<const Candidate> candidates, uint32_t random) {
  int best = -1;
  uint32_t equals = 0;
  for (size_t i = 0; i < candidates.size(); i++) {
    const Candidate& candidate = candidates[i];
    if (!candidate.eligible) continue;
    if (best >= 0 && candidate.load > candidates[static_cast<size_t>(best)].load) continue;
    if (best >= 0 && candidate.load == candidates[static_cast<size_t>(best)].load) {
      // The n-th equal replaces the choice with probability 1/n: each is as likely in the end.
      equals++;
      random = random * 1664525u + 1013904223u;
      if ((static_cast<uint64_t>(random) * equals) >> 32 != 0) continue;
    } else {
      equals = 1;
    }
    best = static_cast<int>(i);
  }
  return best;
}

}  // namespace drover
