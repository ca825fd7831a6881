// Steering without privilege: weighted random choice by classic BPF, weights set by the conductor. See steer_weighted.cc.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>
#include <vector>

#include "least_loaded.h"
#include "steered_group.h"

namespace drover {

// Shares of kWhole, one per candidate, that even out the loads over the next `arrivals` connections; all 0 when nobody is eligible.
constexpr uint32_t kWhole = 1 << 16;
std::vector<uint32_t> weigh(std::span<const Candidate> candidates, double arrivals);
// Picks index i of the group with probability shares[i] / kWhole; the shares add up to kWhole.
std::vector<struct sock_filter> weightedProgram(std::span<const uint32_t> shares);
// Whether new shares are worth a new program.
bool differMaterially(std::span<const uint32_t> before, std::span<const uint32_t> after);

// One group, kept at the weights that the board asks for.
class WeightedGroup final : public SteeredGroup {
 public:
  WeightedGroup(Conductor& conductor, uint64_t stallNs) : SteeredGroup(conductor), stallNs_(stallNs) {}

  int add(int slot, int fd) override;
  int attach() override;
  int onTick(uint64_t now, bool traffic) override;

 private:
  uint64_t stallNs_;
  std::vector<uint32_t> shares_;
  uint64_t arrived_ = 0;
  uint64_t attached_ = 0;
};

}  // namespace drover
