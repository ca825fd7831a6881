// How many descriptors this process may have. See descriptor_limit.cc.
#pragma once

#include <napi.h>

namespace drover {

double descriptorLimit();

Napi::Value DescriptorLimit(const Napi::CallbackInfo& info);

}  // namespace drover
