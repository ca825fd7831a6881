// The clock of loop stamps: CLOCK_MONOTONIC in nanoseconds, as uv_hrtime() and bpf_ktime_get_ns() tell it.
#pragma once

#include <time.h>

#include <cstdint>

namespace drover {

inline uint64_t monotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace drover
