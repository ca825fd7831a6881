// Where a socket is bound, and who is at its other end. See address.cc.
#pragma once

#include <napi.h>

#include <string>

namespace drover {

struct BoundAddress {
  const char* family;   // "IPv4", "IPv6" or "unix"
  std::string address;  // or the path; "@name" in the abstract namespace, empty when unnamed
  int port;             // -1 for unix
};

int localAddress(int fd, BoundAddress& address);
int peerAddress(int fd, BoundAddress& address);

Napi::Value LocalAddress(const Napi::CallbackInfo& info);
Napi::Value PeerAddress(const Napi::CallbackInfo& info);

}  // namespace drover
