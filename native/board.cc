// Reading the board. See board.h.
#include "board.h"

#include <initializer_list>
#include <utility>

namespace drover {

Board::Board(std::span<std::byte> memory) {
  if (memory.size() < kBoardBytes || reinterpret_cast<uintptr_t>(memory.data()) % alignof(BoardRow) != 0) return;
  header_ = reinterpret_cast<BoardHeader*>(memory.data());
  rows_ = reinterpret_cast<BoardRow*>(memory.data() + sizeof(BoardHeader));
  slots_ = reinterpret_cast<SlotBoard*>(memory.data() + slotOffset(0));
}

Board::Board(std::span<std::byte> memory, size_t rowOffset) : Board(memory) {
  constexpr size_t row = sizeof(BoardRow);
  if (rowOffset < row || rowOffset % row != 0 || rowOffset / row > kMaxRows) {
    header_ = nullptr;
  } else if (valid()) {
    own_ = &rows_[rowOffset / row - 1];
  }
}

bool Board::siblingIdle() const {
  for (BoardRow& row : rows()) {
    if (&row == own_) continue;
    if (load(row.state) == static_cast<uint32_t>(State::kReady) && load(row.loopStamp) == 0) return true;
  }
  return false;
}

Napi::Value BoardLayout(const Napi::CallbackInfo& info) {
  Napi::Object layout = Napi::Object::New(info.Env());
  const auto part = [&](const char* name, std::initializer_list<std::pair<const char*, size_t>> fields) {
    Napi::Object offsets = Napi::Object::New(info.Env());
    for (const auto& [field, offset] : fields) offsets.Set(field, static_cast<double>(offset));
    layout.Set(name, offsets);
  };
  part("row", {{"state", offsetof(BoardRow, state)},
               {"pid", offsetof(BoardRow, pid)},
               {"generation", offsetof(BoardRow, generation)},
               {"slot", offsetof(BoardRow, slot)},
               {"loopStamp", offsetof(BoardRow, loopStamp)},
               {"loopTurns", offsetof(BoardRow, loopTurns)},
               {"connections", offsetof(BoardRow, connections)},
               {"requestsInFlight", offsetof(BoardRow, requestsInFlight)},
               {"requests", offsetof(BoardRow, requests)},
               {"connectionLimit", offsetof(BoardRow, connectionLimit)},
               {"requestLimit", offsetof(BoardRow, requestLimit)},
               {"handicap", offsetof(BoardRow, handicap)},
               {"taken", offsetof(BoardRow, taken)},
               {"accepted", offsetof(BoardRow, accepted)},
               {"wakeups", offsetof(BoardRow, wakeups)},
               {"emptyWakeups", offsetof(BoardRow, emptyWakeups)},
               {"stolen", offsetof(BoardRow, stolen)},
               {"granted", offsetof(BoardRow, granted)}});
  part("header", {{"waiting", offsetof(BoardHeader, waiting)},
                  {"fallbacks", offsetof(BoardHeader, fallbacks)},
                  {"rowsUsed", offsetof(BoardHeader, rowsUsed)},
                  {"permits", offsetof(BoardHeader, permits)}});
  part("slot", {{"owner", offsetof(SlotBoard, owner)}, {"selected", offsetof(SlotBoard, selected)}, {"accepted", offsetof(SlotBoard, accepted)}});
  part("bytes", {{"row", sizeof(BoardRow)}, {"slot", sizeof(SlotBoard)}, {"slots", slotOffset(0)}, {"board", kBoardBytes}});
  return layout;
}

}  // namespace drover
