// Listening sockets. See listen.cc.
#pragma once

#include <napi.h>

#include <string>

namespace drover {

struct TcpListen {
  std::string host;
  int port;
  int backlog;
  bool reusePort;
  bool ipv6Only;
};

int listenTcp(const TcpListen& options);
int listenUnix(const std::string& path, int backlog);

Napi::Value ListenTcp(const Napi::CallbackInfo& info);
Napi::Value NoDelay(const Napi::CallbackInfo& info);
Napi::Value ListenUnix(const Napi::CallbackInfo& info);

}  // namespace drover
