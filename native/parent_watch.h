// Ends this process some time after its parent. See parent_watch.cc.
#pragma once


#include "fd.h"
#include "thread.h"

namespace drover {

class ParentWatch {
 public:
  ParentWatch() = default;
  ~ParentWatch() { stop(); }
  int start(int parentPid, int graceMs, int exitCode);
  void stop();

 private:
  Fd stop_;  // eventfd: written once, to end the thread
  Thread thread_;
};

}  // namespace drover
