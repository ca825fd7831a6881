// A terminal that was closed: whatever of standard input, output and error is still it becomes /dev/null, and is so written to without EIO.
//
// Of a terminal that has hung up, the kernel answers every ioctl with EIO. Node (20.20) puts the terminal's modes back as it exits and takes any answer but
// success for a bug: it aborts, and dies of SIGABRT, or of SIGSEGV while it looks for a stack. It passes over a descriptor that is another file by then.
// Not for terminals that are there: their modes are Node's to put back.
#include "leave_terminal.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "fd.h"
#include "result.h"

namespace drover {

int leaveTerminal() {
  int left = 0;
  for (int fd = 0; fd <= 2; fd++) {
    termios modes;
    if (tcgetattr(fd, &modes) == 0 || errno != EIO) continue;
    Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.valid()) return lastError();
    if (dup2(null.get(), fd) < 0) return lastError();
    left++;
  }
  return left;
}

void leaveTerminalAtExit() {
  // Handlers run in reverse order: Node registered its own before it loaded us.
  static const int registered = std::atexit([] { leaveTerminal(); });
  (void)registered;
}

Napi::Value LeaveTerminal(const Napi::CallbackInfo& info) { return result(info.Env(), leaveTerminal()); }

}  // namespace drover
