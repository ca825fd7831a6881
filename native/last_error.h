// What a plain half answers when a system call has failed: -errno. See result.h for the convention.
#pragma once

#include <cerrno>

namespace drover {

// What the last system call of this thread failed with, as we hand it on.
inline int lastError() { return -errno; }

}  // namespace drover
