// Reading the board. See board.h.
#include "board.h"

namespace drover {

Board::Board(std::span<std::byte> memory, size_t rowOffset) {
  constexpr size_t row = sizeof(BoardRow);
  if (reinterpret_cast<uintptr_t>(memory.data()) % alignof(uint64_t) != 0) return;
  if (rowOffset < row || rowOffset % row != 0 || rowOffset + row > memory.size()) return;
  rows_ = {reinterpret_cast<BoardRow*>(memory.data() + row), memory.size() / row - 1};
  own_ = &rows_[rowOffset / row - 1];
}

bool Board::siblingIdle() const {
  for (BoardRow& row : rows_) {
    if (&row == own_) continue;
    if (load(row.state) == static_cast<uint32_t>(State::kReady) && load(row.loopStamp) == 0) return true;
  }
  return false;
}

Napi::Value BoardLayout(const Napi::CallbackInfo& info) {
  Napi::Object layout = Napi::Object::New(info.Env());
  const auto field = [&](const char* name, size_t offset) { layout.Set(name, static_cast<double>(offset)); };
  field("state", offsetof(BoardRow, state));
  field("pid", offsetof(BoardRow, pid));
  field("generation", offsetof(BoardRow, generation));
  field("slot", offsetof(BoardRow, slot));
  field("loopStamp", offsetof(BoardRow, loopStamp));
  field("loopTurns", offsetof(BoardRow, loopTurns));
  field("connections", offsetof(BoardRow, connections));
  field("requestsInFlight", offsetof(BoardRow, requestsInFlight));
  field("requests", offsetof(BoardRow, requests));
  field("accepted", offsetof(BoardRow, accepted));
  field("wakeups", offsetof(BoardRow, wakeups));
  field("emptyWakeups", offsetof(BoardRow, emptyWakeups));
  field("stolen", offsetof(BoardRow, stolen));
  field("rowBytes", sizeof(BoardRow));
  return layout;
}

}  // namespace drover
