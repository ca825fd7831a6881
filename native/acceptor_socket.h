// A listening socket of an acceptor's: for the acceptor's own files and poll_set.cc.
#pragma once

#include <memory>

#include "acceptor.h"
#include "registration.h"
#include "theft.h"

namespace drover {

struct AcceptorSocket : std::enable_shared_from_this<AcceptorSocket> {
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

  AcceptorSocket(Acceptor& owner, const ArmOptions& how) : acceptor(owner), options(how) {}
};

}  // namespace drover
