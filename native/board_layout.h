// The layout of the board for JavaScript. See board_layout.cc.
#pragma once

#include <napi.h>

namespace drover {

Napi::Value BoardLayout(const Napi::CallbackInfo& info);

}  // namespace drover
