// Weighted steering: a classic BPF program (SO_ATTACH_REUSEPORT_CBPF, Linux 4.5, no privilege) that draws a random number and compares it with
// cumulative shares, replaced by the conductor when the shares have changed materially (8-40 µs each, at most once a tick). Where bpf(2) is allowed
// steer_least.cc is better: it judges each connection by the board of that moment.
//
// The shares fill the emptiest workers up like water: as much to each as brings all that are given something to one level after the
// connections that are expected until the next tick. Share 0: booting, draining, full, stalled or already above that level.
#include "steer_weighted.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "queue.h"
#include "last_error.h"

namespace drover {

namespace {
constexpr int kTickMs = 5;
constexpr int kFewTickMs = 20;
// Connections to each that are expected at least. Shares that chase single ones would change every tick, and a burst comes within one: by shares for fewer it would all go
// to the one worker that holds a few less than the others.
constexpr double kExpected = 4;
}  // namespace

std::vector<uint32_t> weigh(std::span<const Candidate> candidates, double arrivals) {
  std::vector<uint32_t> loads;
  for (const Candidate& candidate : candidates) {
    if (candidate.eligible) loads.push_back(candidate.load);
  }
  std::vector<uint32_t> shares(candidates.size(), 0);
  if (loads.empty()) return shares;
  arrivals = std::max(arrivals, kExpected * static_cast<double>(loads.size()));
  std::sort(loads.begin(), loads.end());
  // The water level over the k emptiest: the highest k whose fullest member is still below it.
  double level = 0;
  double sum = 0;
  for (size_t k = 0; k < loads.size(); k++) {
    if (k > 0 && loads[k] >= level) break;
    sum += loads[k];
    level = (sum + arrivals) / static_cast<double>(k + 1);
  }
  uint32_t given = 0;
  size_t last = 0;
  for (size_t i = 0; i < candidates.size(); i++) {
    if (!candidates[i].eligible || candidates[i].load >= level) continue;
    shares[i] = static_cast<uint32_t>(std::floor((level - candidates[i].load) / arrivals * kWhole));
    given += shares[i];
    last = i;
  }
  shares[last] += kWhole - given;
  return shares;
}

std::vector<struct sock_filter> weightedProgram(std::span<const uint32_t> shares) {
  std::vector<struct sock_filter> program;
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_RANDOM)));
  program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kWhole - 1));
  uint32_t threshold = 0;
  uint32_t last = 0;
  for (uint32_t index = 0; index < shares.size(); index++) {
    if (shares[index] == 0) continue;
    threshold += shares[index];
    last = index;
    if (threshold >= kWhole) break;
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, threshold, 1, 0));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, index));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, last));
  return program;
}

bool differMaterially(std::span<const uint32_t> before, std::span<const uint32_t> after) {
  if (before.size() != after.size()) return true;
  // A sixteenth of an even share, or a slot that comes or goes.
  const uint32_t tolerance = kWhole / 16 / static_cast<uint32_t>(std::max<size_t>(after.size(), 1));
  for (size_t i = 0; i < after.size(); i++) {
    const uint32_t difference = before[i] > after[i] ? before[i] - after[i] : after[i] - before[i];
    if (difference > tolerance || (before[i] == 0) != (after[i] == 0)) return true;
  }
  return false;
}

int WeightedGroup::add(int slot, int fd) {
  Fd socket(fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!socket.valid()) return lastError();
  const int status = conductor_.watchTraffic(socket.get());
  if (status < 0) return status;
  members_.push_back({slot, std::move(socket)});
  return 0;
}

int WeightedGroup::attach() {
  if (members_.empty() || shares_.size() != members_.size()) return 0;
  std::vector<struct sock_filter> code = weightedProgram(shares_);
  const struct sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  return setsockopt(members_.front().socket.get(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof program) == 0 ? 0 : lastError();
}

int WeightedGroup::onTick(uint64_t now, bool traffic) {
  Board& board = conductor_.board();
  std::vector<Candidate> candidates;
  // Those that wait count: of a burst few have been accepted when the next shares are due.
  uint64_t arrived = 0;
  for (const Member& member : members_) {
    const uint32_t owner = load(board.slot(member.slot).owner);
    QueueLength queue{};
    const uint32_t waiting = queueLength(member.socket.get(), queue) == 0 ? queue.length : 0;
    arrived += waiting;
    candidates.push_back(owner == 0 ? Candidate{} : judge(board.rowOf(owner), waiting, now, stallNs_));
  }
  // At every address, not at this group's alone, since loads are those of all addresses: groups that each filled up the emptiest worker with what they expect by themselves
  // would together give it as many times too much.
  for (BoardRow& row : board.rows()) arrived += load(row.accepted);
  // Rows of workers that are gone are cleared, and the sum is then less than it was.
  const double arrivals = arrived > arrived_ ? static_cast<double>(arrived - arrived_) : 0;
  arrived_ = arrived;
  // Few connections change little, and a tick is a wake-up.
  const int nextMs = !traffic ? 0 : arrivals >= static_cast<double>(members_.size()) ? kTickMs : kFewTickMs;
  std::vector<uint32_t> shares = weigh(candidates, arrivals);
  // Nobody eligible: leave the program as it is; siblings take what waits.
  if (std::all_of(shares.begin(), shares.end(), [](uint32_t share) { return share == 0; })) return nextMs;
  const bool differ = differMaterially(shares_, shares);
  if (!differ && now - attached_ < kAttachAgainNs) return nextMs;
  if (differ) shares_ = std::move(shares);
  attach();
  attached_ = now;
  return nextMs;
}

}  // namespace drover
