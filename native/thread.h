// A thread whose start may fail: std::thread throws then (EAGAIN at pids.max or RLIMIT_NPROC), which without exceptions ends the process.
#pragma once

#include <pthread.h>

#include <memory>
#include <utility>

namespace drover {

class Thread {
 public:
  Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // 0 or -errno. `run()` is called on the thread, and freed there. To be joined or detached before this object ends.
  // `name`: what top -H and perf call it, up to 15 characters.
  template <typename Run>
  int start(const char* name, Run run) {
    struct Box {
      const char* name;
      Run run;
    };
    auto box = std::make_unique<Box>(Box{name, std::move(run)});
    const auto main = [](void* boxed) -> void* {
      const std::unique_ptr<Box> owned(static_cast<Box*>(boxed));
      pthread_setname_np(pthread_self(), owned->name);
      owned->run();
      return nullptr;
    };
    if (const int error = pthread_create(&thread_, nullptr, main, box.get()); error != 0) return -error;
    static_cast<void>(box.release());
    joinable_ = true;
    return 0;
  }
  bool joinable() const { return joinable_; }
  void join() {
    pthread_join(thread_, nullptr);
    joinable_ = false;
  }
  void detach() {
    pthread_detach(thread_);
    joinable_ = false;
  }

 private:
  pthread_t thread_{};
  bool joinable_ = false;
};

}  // namespace drover
