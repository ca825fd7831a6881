// Listening sockets: TCP (IPv4, IPv6) and unix, non-blocking and CLOEXEC.
//
// SO_REUSEPORT exists since Linux 3.9; all sockets of a group need it, the first one too, and the same effective user. TCP_NODELAY is
// set here because accepted sockets inherit it: one system call per listener instead of one per connection, which wrap.ts then leaves
// out. Not for resolving names: `host` is a literal address.
#include "listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>

#include "args.h"
#include "fd.h"
#include "result.h"

namespace drover {

namespace {

bool turn(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value) == 0; }

// With AI_NUMERICHOST getaddrinfo only parses, and knows scopes ("fe80::1%eth0"), which inet_pton does not.
struct addrinfo* parseLiteral(const std::string& host, int port) {
  struct addrinfo hints {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  struct addrinfo* found = nullptr;
  return getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) == 0 ? found : nullptr;
}

}  // namespace

int listenTcp(const TcpListen& options) {
  if (options.host.empty() || options.port < 0 || options.port > 65535) return -EINVAL;
  const std::unique_ptr<struct addrinfo, decltype(&freeaddrinfo)> address(parseLiteral(options.host, options.port), freeaddrinfo);
  if (address == nullptr) return -EINVAL;

  Fd fd(socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!fd.valid()) return lastError();
  if (!turn(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1)) return lastError();
  if (options.reusePort && !turn(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1)) return lastError();
  // Set both ways: net.ipv6.bindv6only changes the default.
  if (address->ai_family == AF_INET6 && !turn(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6Only ? 1 : 0)) return lastError();
  if (!turn(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1)) return lastError();
  if (bind(fd.get(), address->ai_addr, address->ai_addrlen) != 0) return lastError();
  // The port can be taken between bind and listen (both sides with SO_REUSEADDR): EADDRINUSE then comes from here.
  if (listen(fd.get(), options.backlog) != 0) return lastError();
  return fd.release();
}

int listenUnix(const std::string& path, int backlog) {
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path == "@") return -EINVAL;
  // A path needs its closing NUL; an abstract name has none, its length tells where it ends.
  const bool abstract = path[0] == '@';
  if (path.size() + (abstract ? 0 : 1) > sizeof address.sun_path) return -ENAMETOOLONG;
  if (!abstract && path.find('\0') != std::string::npos) return -EINVAL;
  memcpy(address.sun_path, path.data(), path.size());
  if (abstract) address.sun_path[0] = '\0';
  const socklen_t length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));

  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return lastError();
  if (bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address), length) != 0) return lastError();
  if (listen(fd.get(), backlog) != 0) return lastError();
  return fd.release();
}

Napi::Value ListenTcp(const Napi::CallbackInfo& info) {
  Args args(info);
  const TcpListen options{
      .host = args.text(0, "host"),
      .port = args.integer(0, "port"),
      .backlog = args.integer(0, "backlog"),
      .reusePort = args.flag(0, "reusePort"),
      .ipv6Only = args.flag(0, "ipv6Only"),
  };
  return result(info.Env(), args.valid() ? listenTcp(options) : -EINVAL);
}

Napi::Value NoDelay(const Napi::CallbackInfo& info) {
  Args args(info);
  const int fd = args.integer(0);
  if (!args.valid()) return result(info.Env(), -EINVAL);
  int on = 0;
  socklen_t length = sizeof on;
  return result(info.Env(), getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &length) == 0 ? static_cast<int>(on != 0) : lastError());
}

Napi::Value ListenUnix(const Napi::CallbackInfo& info) {
  Args args(info);
  const std::string path = args.text(0);
  const int backlog = args.integer(1);
  return result(info.Env(), args.valid() ? listenUnix(path, backlog) : -EINVAL);
}

}  // namespace drover
