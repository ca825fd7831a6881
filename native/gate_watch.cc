#include "gate_watch.h"

#include <algorithm>
#include <cstdint>

#include "gate.h"

namespace drover {

namespace {
constexpr uint64_t kGateMs = 10;
}  // namespace

int GateWatch::open(LoopHandles& handles) {
  return std::min(check_.open(handles, this, uv_check_init), timer_.open(handles, this, uv_timer_init));
}

void GateWatch::close() {
  check_.close();
  timer_.close();
}

void GateWatch::accepted() {
  uv_check_start(check_.get(), [](uv_check_t* handle) { static_cast<GateWatch*>(handle->data)->look(); });
}

void GateWatch::acceptedLate() {
  if (check_ && uv_is_active(check_.generic())) look();
}

void GateWatch::look() {
  uv_check_stop(check_.get());
  if (shut_ || !aboveAverage(board_, uv_hrtime())) return;
  shut_ = true;
  changed_();
  uv_timer_start(timer_.get(), [](uv_timer_t* handle) { static_cast<GateWatch*>(handle->data)->lookAgain(); }, kGateMs, kGateMs);
}

void GateWatch::lookAgain() {
  if (aboveAverage(board_, uv_hrtime())) return;
  uv_timer_stop(timer_.get());
  shut_ = false;
  changed_();
}

}  // namespace drover
