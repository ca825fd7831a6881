// Ends this process some time after its parent. See parent_watch.cc.
#pragma once

#include <thread>

#include "fd.h"

namespace drover {

class ParentWatch {
 public:
  ParentWatch() = default;
  ~ParentWatch() { stop(); }
  int start(int parentPid, int graceMs, int exitCode);
  void stop();

 private:
  Fd stop_;  // eventfd: written once, to end the thread
  std::thread thread_;
};

}  // namespace drover
