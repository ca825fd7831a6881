// What an acceptor does with the sockets of other slots: whose connections they are (theft.cc), and whether it comes back to one that it has stepped aside from.
#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "acceptor_socket.h"
#include "queue.h"

namespace drover {

bool Acceptor::isOfOtherSlot(const Socket& socket) const { return socket.options.slot >= 0 && static_cast<uint32_t>(socket.options.slot) != load(board_.own().slot); }

// Its owner listens there as far as we know.
bool Acceptor::isSiblings(const Socket& socket) const { return isOfOtherSlot(socket) && !isUnattended(socket); }

// Before taking from it. One that has not got its place in the row yet, too, but not one that the kernel gives none: it cannot step aside.
bool Acceptor::mustAsk(const Socket& socket) const {
  const Registration& registration = socket.registration;
  return (registration.isExclusive() || registration.awaitsSwap()) && isSiblings(socket);
}

// Of what we were told: a successor that has taken the slot over since may listen there.
bool Acceptor::isUnattended(const Socket& socket) const {
  if (unattended_.empty() || socket.options.slot < 0) return false;
  const Post post{socket.options.slot, static_cast<int>(load(board_.slot(socket.options.slot).owner)) - 1};
  return std::find(unattended_.begin(), unattended_.end(), post) != unattended_.end();
}

// A sibling's, on a board where a connection is for the slot's owner alone, unless it is known not to listen there: not polled, and accepted from when we are rung,
// if nobody serves the slot.
bool Acceptor::isForOwner(const Socket& socket) const { return board_.sticky() && isSiblings(socket); }

// What waits at our own slot's sockets.
uint32_t Acceptor::ownQueue() const {
  uint32_t sum = 0;
  for (const auto& socket : sockets_) {
    QueueLength queue{};
    if (socket->options.slot >= 0 && static_cast<uint32_t>(socket->options.slot) == load(board_.own().slot) && queueLength(socket->fd.get(), queue) == 0) sum += queue.length;
  }
  return sum;
}

// Whether a connection at a sibling's socket is better with us than with its owner.
bool Acceptor::mayTake(Socket& socket, uint64_t now) {
  if (socket.options.slot < 0 || isUnattended(socket)) return true;
  QueueLength queue{};
  BoardRow* owner = otherOwner(board_, socket.options.slot);
  if (owner == nullptr || queueLength(socket.fd.get(), queue) < 0 || queue.length == 0 || !canCome(*owner, queue.length, now)) return true;
  return isBetterWithUs(board_, socket.options.slot, *owner, queue.length, [this] { return ownQueue(); }, now, socket.left);
}

// The decision is made where the connection is accepted; here it is only asked for, and what it has noted must not be used up.
bool Acceptor::mayComeBack(Socket& socket, uint64_t now) {
  const LeftToOwner before = socket.left;
  const bool back = mayTake(socket, now);
  if (back) socket.left = before;
  return back;
}

void Acceptor::setUnattended(std::vector<Post> posts) {
  if (closed_) return;
  unattended_ = std::move(posts);
  for (const auto& socket : sockets_) {
    if (socket->reserve == isForOwner(*socket)) continue;
    socket->reserve = !socket->reserve;
    if (socket->reserve) {
      // Its owner is back, and has not been told of what we were woken for.
      if (isPromised(socket)) wake_.tellOrphaned();
      pollSet_.stop(*socket);
    } else if (polling()) {
      startPoll(*socket);
    }
  }
}

}  // namespace drover
