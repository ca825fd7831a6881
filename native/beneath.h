// Opening files below a directory and nowhere else. See beneath.cc.
#pragma once

#include <napi.h>

#include <string>

#include "fd.h"

namespace drover {

// Opened for reading, without waiting for anything (a FIFO), CLOEXEC. -ELOOP: a symbolic link (any, or with `links` one that leads out); -EXDEV: a way out.
int openBeneath(int root, const std::string& path, bool links, Fd& file);

Napi::Value OpenBeneath(const Napi::CallbackInfo& info);
Napi::Value StatBeneath(const Napi::CallbackInfo& info);

}  // namespace drover
