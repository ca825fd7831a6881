// A bell is an eventfd(2) (Linux 2.6.27); wake.cc says what it means to who hears it.
#include "bells.h"

#include <unistd.h>

#include <cstdint>
#include <utility>

namespace drover {

void ringBell(const Fd& bell) {
  const uint64_t one = 1;
  // EAGAIN: the counter is full of rings nobody has heard yet.
  if (bell.valid()) static_cast<void>(write(bell.get(), &one, sizeof one));
}

void Bells::set(int row, Fd bell) {
  if (bell.valid()) {
    bells_[row] = std::move(bell);
  } else {
    bells_.erase(row);
  }
}

void Bells::ring(int row) const {
  if (const auto found = bells_.find(row); found != bells_.end()) ringBell(found->second);
}

}  // namespace drover
