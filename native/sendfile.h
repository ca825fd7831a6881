// Bytes of a file to a connected socket, without passing through this process. See sendfile.cc.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "fd.h"
#include "loop_handle.h"
#include "loop_stamp.h"

namespace drover {

// What is still to be sent: bytes of our own, then a range of a file.
struct FileSpan {
  std::span<const std::byte> head;
  int file = -1;
  int64_t offset = 0;
  int64_t length = 0;
};

// Hand as much to the kernel as it takes now, a bounded amount: bytes taken, those of the head counted in, or -errno when there were none.
// -EAGAIN: the socket is full. -ENODATA: the file has ended before its range has. -EBUSY: what comes next is not in memory (where `mayBlock` is false).
int64_t sendFile(int socket, const FileSpan& span, bool mayBlock);

// Whom a transfer tells.
class TransferListener {
 public:
  virtual void onProgress(int64_t sent) = 0;
  // Nothing is called after it.
  virtual void onEnd(int error, int64_t sent) = 0;
  // Call `FileTransfer::work` in a thread and then `FileTransfer::worked`. False: there are no threads.
  virtual bool startThread() = 0;

 protected:
  ~TransferListener() = default;
};

// The rest of a response, sent as the socket takes it. Owns duplicates of both descriptors.
class FileTransfer final : public std::enable_shared_from_this<FileTransfer> {
 public:
  FileTransfer(LoopHandles& handles, LoopStamp& loopStamp, TransferListener& listener) : handles_(handles), loopStamp_(loopStamp), listener_(&listener) {}

  // 0 or -errno. Tells nothing before the next turn of the loop.
  int start(int socket, const FileSpan& span);
  // Stop; what is sent is sent. Idempotent.
  void cancel();
  int64_t sent() const { return sent_; }

  // In a thread: touches nothing but the job.
  void work();
  // Back in the loop.
  void worked();

 private:
  struct Job {
    FileSpan span;
    int64_t result = 0;
  };

  void wait();
  void step();
  void account(int64_t taken);
  void end(int error);
  FileSpan rest() const;

  LoopHandles& handles_;
  LoopStamp& loopStamp_;
  TransferListener* listener_;
  Fd socket_;
  Fd file_;
  std::vector<std::byte> head_;
  size_t headSent_ = 0;
  int64_t offset_ = 0;
  int64_t length_ = 0;
  int64_t sent_ = 0;
  LoopHandle<uv_poll_t> poll_;
  Job job_;
  bool inThread_ = false;
};

Napi::Function FileTransferClass(Napi::Env env);
Napi::Value SendFile(const Napi::CallbackInfo& info);

}  // namespace drover
