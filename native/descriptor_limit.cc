// getrlimit(2), soft limit of RLIMIT_NOFILE: how many descriptors this process may have. /proc/self/limits says the same, but takes a descriptor to read: nothing
// for who has none left and wants to say why.
#include "descriptor_limit.h"

#include <sys/resource.h>

#include "last_error.h"

namespace drover {

double descriptorLimit() {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? static_cast<double>(limit.rlim_cur) : lastError();
}

Napi::Value DescriptorLimit(const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), descriptorLimit()); }

}  // namespace drover
