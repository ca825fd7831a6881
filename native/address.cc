// Where a socket is bound and who is at its other end: getsockname(2) and getpeername(2), in the shape of Node's server.address(). -EAFNOSUPPORT for other families.
#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "args.h"
#include "result.h"

namespace drover {

namespace {

int addressOf(int fd, int (*nameOf)(int, struct sockaddr*, socklen_t*) noexcept, BoundAddress& bound) {
  union {
    struct sockaddr_storage any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
  } name{};
  socklen_t length = sizeof name;
  if (nameOf(fd, reinterpret_cast<struct sockaddr*>(&name), &length) != 0) return lastError();

  char text[INET6_ADDRSTRLEN] = "";
  switch (name.any.ss_family) {
    case AF_INET:
      inet_ntop(AF_INET, &name.v4.sin_addr, text, sizeof text);
      bound = {"IPv4", text, ntohs(name.v4.sin_port)};
      return 0;
    case AF_INET6: {
      inet_ntop(AF_INET6, &name.v6.sin6_addr, text, sizeof text);
      bound = {"IPv6", text, ntohs(name.v6.sin6_port)};
      char interface[IF_NAMESIZE];
      if (name.v6.sin6_scope_id != 0 && if_indextoname(name.v6.sin6_scope_id, interface) != nullptr) {
        bound.address += '%';
        bound.address += interface;
      }
      return 0;
    }
    case AF_UNIX: {
      const size_t bytes = length > offsetof(struct sockaddr_un, sun_path) ? length - offsetof(struct sockaddr_un, sun_path) : 0;
      std::string path(name.un.sun_path, bytes);
      if (!path.empty() && path[0] == '\0') {
        path[0] = '@';
      } else {
        path.resize(strnlen(path.data(), path.size()));
      }
      bound = {"unix", path, -1};
      return 0;
    }
    default:
      return -EAFNOSUPPORT;
  }
}

template <int (*addressOf)(int, BoundAddress&)>
Napi::Value toAddress(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Args args(info);
  const int fd = args.integer(0);
  BoundAddress bound{};
  const int status = args.valid() ? addressOf(fd, bound) : -EINVAL;
  if (status < 0) return result(env, status);
  Napi::Object object = Napi::Object::New(env);
  object.Set("family", bound.family);
  if (bound.port < 0) {
    object.Set("path", bound.address);
  } else {
    object.Set("address", bound.address);
    object.Set("port", bound.port);
  }
  return object;
}

}  // namespace

int localAddress(int fd, BoundAddress& address) { return addressOf(fd, getsockname, address); }
int peerAddress(int fd, BoundAddress& address) { return addressOf(fd, getpeername, address); }

Napi::Value LocalAddress(const Napi::CallbackInfo& info) { return toAddress<localAddress>(info); }
Napi::Value PeerAddress(const Napi::CallbackInfo& info) { return toAddress<peerAddress>(info); }

}  // namespace drover
