// PR_CAP_AMBIENT_LOWER (Linux 4.3) of CAP_BPF (5.8): what this thread starts from now on is without the capability, which this process keeps. -EINVAL
// on older kernels, where it could not have been handed down.
//
// Ambient capabilities are how systemd gives one to a user's process, and every program that it executes gets them too. The set is one of the thread's,
// and libuv starts processes from the loop's. Of no use for root, whose programs get all capabilities, and none against a capability of the executed file.
#include "withhold_bpf.h"

#include <sys/prctl.h>

#include "result.h"

namespace drover {

namespace {
// Not in the headers of older systems.
constexpr unsigned long kCapBpf = 39;
}  // namespace

int withholdBpf() { return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, kCapBpf, 0UL, 0UL) == 0 ? 0 : lastError(); }

Napi::Value WithholdBpf(const Napi::CallbackInfo& info) { return result(info.Env(), withholdBpf()); }

}  // namespace drover
