// A listening socket of an acceptor's: for acceptor.cc and acceptor_siblings.cc.
#pragma once

#include <memory>

#include "acceptor.h"
#include "registration.h"
#include "theft.h"

namespace drover {

struct Acceptor::Socket : std::enable_shared_from_this<Socket> {
  Acceptor& acceptor;
  Fd fd;
  ArmOptions options;
  LoopHandle<uv_poll_t> poll;
  Registration registration;
  bool armed = true;
  LeftToOwner left;
  // Not polled while it is for its owner (isForOwner).
  bool reserve = false;
  // A unix socket: its queue has no length that the conductor could ask for.
  bool uncounted = false;

  Socket(Acceptor& owner, const ArmOptions& how) : acceptor(owner), options(how) {}
};

}  // namespace drover
