"""Runs COMMAND on a terminal of its own and passes on what it writes there. TERM closes the terminal; ends as the command ends, be it by a signal."""
import os
import pty
import resource
import signal
import sys


class Closed(Exception):
    pass


def close(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Closed


resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
signal.signal(signal.SIGTERM, close)
try:
    while data := os.read(terminal, 65536):
        os.write(1, data)
except (Closed, OSError):  # EIO: the command has ended.
    pass
os.close(terminal)
status = os.waitpid(pid, 0)[1]
if os.WIFSIGNALED(status):
    signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
    os.kill(os.getpid(), os.WTERMSIG(status))
sys.exit(os.WEXITSTATUS(status))
