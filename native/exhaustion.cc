// It is tried by eventfd(2) (Linux 2.6.27), not by accepting: in the row again without a descriptor, we should take a wake-up away from who has one.
//
// The row counts, since a worker may have several acceptors.
#include "exhaustion.h"

#include <sys/eventfd.h>

#include <cstdint>

#include "fd.h"

namespace drover {

namespace {
constexpr uint64_t kRetryMs = 100;
}  // namespace

bool Exhaustion::begin() {
  if (std::exchange(is_, true)) return false;
  BoardRow& row = board_.own();
  store(row.exhausted, load(row.exhausted) + 1);
  if (retry_) uv_timer_start(retry_.get(), [](uv_timer_t* timer) { static_cast<Exhaustion*>(timer->data)->retry(); }, kRetryMs, kRetryMs);
  return true;
}

void Exhaustion::retry() {
  if (Fd(eventfd(0, EFD_CLOEXEC)).valid()) {
    uv_timer_stop(retry_.get());
    end();
  }
  tried_();
}

void Exhaustion::end() {
  if (!std::exchange(is_, false)) return;
  BoardRow& row = board_.own();
  store(row.exhausted, load(row.exhausted) - 1);
}

}  // namespace drover
