// Reaping of adopted children: waitpid(2) of one pid, never of "any", which would take libuv's children from it.
// PR_SET_CHILD_SUBREAPER since Linux 3.4: makes this process adopt orphans below it as PID 1 would.
#include "reap.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>

#include "args.h"
#include "result.h"

namespace drover {

int reap(int pid) {
  if (pid <= 0) return -EINVAL;
  int status = 0;
  const int reaped = waitpid(pid, &status, WNOHANG);
  return reaped < 0 ? lastError() : reaped;
}

int setSubreaper() { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0 ? 0 : lastError(); }

Napi::Value Reap(const Napi::CallbackInfo& info) {
  Args args(info);
  const int pid = args.integer(0);
  return result(info.Env(), args.valid() ? reap(pid) : -EINVAL);
}

Napi::Value SetSubreaper(const Napi::CallbackInfo& info) { return result(info.Env(), setSubreaper()); }

}  // namespace drover
