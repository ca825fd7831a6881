// The layout of the board as C++ has it, told to JavaScript for the test that compares the two.
#include "board_layout.h"

#include <cstddef>
#include <initializer_list>
#include <utility>

#include "board.h"

namespace drover {

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
               {"refused", offsetof(BoardRow, refused)},
               {"exhausted", offsetof(BoardRow, exhausted)},
               {"arriving", offsetof(BoardRow, arriving)},
               {"accepted", offsetof(BoardRow, accepted)},
               {"wakeups", offsetof(BoardRow, wakeups)},
               {"emptyWakeups", offsetof(BoardRow, emptyWakeups)},
               {"stolen", offsetof(BoardRow, stolen)},
               {"blockedAt", offsetof(BoardRow, blockedAt)},
               {"proxyRefused", offsetof(BoardRow, proxyRefused)},
               {"granted", offsetof(BoardRow, granted)},
               {"lateTurn", offsetof(BoardRow, lateTurn)}});
  part("header", {{"waiting", offsetof(BoardHeader, waiting)},
                  {"fallbacks", offsetof(BoardHeader, fallbacks)},
                  {"rowsUsed", offsetof(BoardHeader, rowsUsed)},
                  {"orphaned", offsetof(BoardHeader, orphaned)},
                  {"stallNs", offsetof(BoardHeader, stallNs)},
                  {"sticky", offsetof(BoardHeader, sticky)},
                  {"permits", offsetof(BoardHeader, permits)}});
  part("slot", {{"owner", offsetof(SlotBoard, owner)}, {"selected", offsetof(SlotBoard, selected)}, {"accepted", offsetof(SlotBoard, accepted)}});
  part("bytes", {{"row", sizeof(BoardRow)}, {"slot", sizeof(SlotBoard)}, {"slots", slotOffset(0)}, {"board", kBoardBytes}});
  return layout;
}

}  // namespace drover
