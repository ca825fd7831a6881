// The message channel between master and worker. See channel.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fd.h"
#include "loop_handle.h"
#include "message.h"

namespace drover {

// Whom a channel tells of what comes in.
class ChannelListener {
 public:
  virtual void onMessage(Message& message) = 0;
  virtual void onClose(int error) = 0;

 protected:
  ~ChannelListener() = default;
};

class Channel final : public std::enable_shared_from_this<Channel> {
 public:
  Channel(LoopHandles& handles, ReceiveBuffer& buffer, ChannelListener& listener, int fd);

  int start();
  int send(std::string_view text, std::span<const int> fds);
  int sendSync(std::string_view text, int timeoutMs);
  // 1: `message` is there, valid until the next receive; 0: time-out; -errno.
  int receiveSync(int timeoutMs, Message& message);
  void ref(bool on);
  void close();
  bool open() const { return fd_.valid(); }

 private:
  // A message the socket had no room for. Its descriptors are duplicates: the sender may close its own at once.
  struct Waiting {
    std::string text;
    std::vector<Fd> fds;
  };

  int openPoll();
  void poll();
  void onReady(int status, int events);
  void read();
  int flush();
  int wait(short events, int64_t deadlineMs);
  void end(int error);

  LoopHandles& handles_;
  ReceiveBuffer& buffer_;
  ChannelListener& listener_;
  Fd fd_;
  LoopHandle<uv_poll_t> poll_;
  std::deque<Waiting> waiting_;
  int events_ = 0;
  bool started_ = false;
  bool ref_ = false;
  bool peerGone_ = false;
};

}  // namespace drover
