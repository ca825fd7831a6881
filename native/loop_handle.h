// libuv handles with an owner. libuv wants a handle's memory back only in its close callback, one loop turn after uv_close:
// dropping a LoopHandle starts that, and LoopHandles counts those still on their way, so that an environment that ends (a worker
// thread) can wait until its loop is really empty. No Node-API here.
//
// Of libuv only what Node promises to keep its ABI of: poll, prepare, check, idle, timer, async, close.
#pragma once

#include <uv.h>

#include <functional>
#include <memory>
#include <utility>

namespace drover {

// The handles of one loop.
class LoopHandles {
 public:
  explicit LoopHandles(uv_loop_t* loop) : loop_(loop) {}
  LoopHandles(const LoopHandles&) = delete;
  LoopHandles& operator=(const LoopHandles&) = delete;

  uv_loop_t* loop() const { return loop_; }
  void added() { open_++; }
  void closed() {
    open_--;
    settle();
  }
  // Call `done` once no handle is left: at once, or from the last close callback.
  void whenEmpty(std::function<void()> done) {
    done_ = std::move(done);
    settle();
  }

 private:
  void settle() {
    if (open_ > 0 || !done_) return;
    // `done` may free what we live in: nothing of ours is touched after it.
    auto done = std::exchange(done_, nullptr);
    done();
  }

  uv_loop_t* loop_;
  size_t open_ = 0;
  std::function<void()> done_;
};

template <typename T>
class LoopHandle {
 public:
  LoopHandle() = default;

  // `init(loop, handle)` is the uv_*_init call; on failure nothing is kept. The handle does not keep the loop alive until `uv_ref`ed.
  template <typename Init>
  int open(LoopHandles& handles, void* data, Init init) {
    auto box = std::make_unique<Box>();
    const int status = init(handles.loop(), &box->handle);
    if (status < 0) return status;
    box->handles = &handles;
    box->handle.data = data;
    handles.added();
    box_.reset(box.release());
    uv_unref(generic());
    return 0;
  }
  void close() { box_.reset(); }
  explicit operator bool() const { return box_ != nullptr; }
  T* get() const { return &box_->handle; }
  uv_handle_t* generic() const { return reinterpret_cast<uv_handle_t*>(&box_->handle); }

 private:
  struct Box {
    T handle;  // First: its address is the box's.
    LoopHandles* handles;
  };
  struct Close {
    void operator()(Box* box) const {
      uv_close(reinterpret_cast<uv_handle_t*>(&box->handle), [](uv_handle_t* handle) {
        std::unique_ptr<Box> owned(reinterpret_cast<Box*>(handle));
        LoopHandles* handles = owned->handles;
        owned.reset();
        handles->closed();
      });
    }
  };
  std::unique_ptr<Box, Close> box_;
};

}  // namespace drover
