// The errno table of accept4(2). Linux hands pending network errors of the new socket to accept (accept(2), "Error handling"): they
// belong to that connection, not to the listener.
#include "accept_errno.h"

#include <cerrno>

namespace drover {

AcceptError classifyAcceptError(int error) {
  switch (error) {
    case EAGAIN:
      return AcceptError::kNothingNow;
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case ETIMEDOUT:
    case EPERM:  // a firewall rule forbids it
      return AcceptError::kConnectionGone;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return AcceptError::kExhausted;
    default:
      return AcceptError::kListenerBroken;
  }
}

}  // namespace drover
