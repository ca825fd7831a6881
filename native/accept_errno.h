// What an errno of accept4(2) means for the one who accepts. See accept_errno.cc.
#pragma once

namespace drover {

enum class AcceptError {
  kNothingNow,      // the queue is empty, or somebody else was faster
  kConnectionGone,  // this connection is lost before it began; the next may be fine
  kExhausted,       // out of descriptors or memory: pause, and retry by a timer
  kListenerBroken,  // this socket will never accept again
};

AcceptError classifyAcceptError(int error);

}  // namespace drover
