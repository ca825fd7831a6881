// CAP_BPF for this process and not for those it starts. See withhold_bpf.cc.
#pragma once

#include <napi.h>

namespace drover {

int withholdBpf();

Napi::Value WithholdBpf(const Napi::CallbackInfo& info);

}  // namespace drover
