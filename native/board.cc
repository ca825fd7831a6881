// Reading the board. See board.h.
#include "board.h"

#include <utility>

namespace drover {

Board::Board(SharedBytes memory) : memory_(std::move(memory)) {
  if (!memory_ || memory_->size() < kBoardBytes || reinterpret_cast<uintptr_t>(memory_->data()) % alignof(BoardRow) != 0) return;
  header_ = reinterpret_cast<BoardHeader*>(memory_->data());
  rows_ = reinterpret_cast<BoardRow*>(memory_->data() + sizeof(BoardHeader));
  slots_ = reinterpret_cast<SlotBoard*>(memory_->data() + slotOffset(0));
}

Board::Board(SharedBytes memory, size_t rowOffset) : Board(std::move(memory)) {
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
    if (load(row.state) == static_cast<uint32_t>(State::kReady) && load(row.loopStamp) == 0 && !isLate(row)) return true;
  }
  return false;
}

}  // namespace drover
