// The terminal that has hung up. See leave_terminal.cc.
#pragma once

#include <napi.h>

namespace drover {

int leaveTerminal();
// At the very end of this process, before Node looks at its terminal for the last time. Once, however many environments there are.
void leaveTerminalAtExit();

Napi::Value LeaveTerminal(const Napi::CallbackInfo& info);

}  // namespace drover
