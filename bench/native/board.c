/*
 * board: `board PID FD BYTES` writes the shared memory behind a descriptor of another process to stdout, as it is now. For the board of a running drover, which is a
 * memfd or, where bpf(2) is allowed, a BPF map: that one cannot be opened through /proc. pidfd_getfd(2), Linux 5.6; same user, or root.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "usage: board PID FD BYTES\n"), 2;
  size_t bytes = strtoul(argv[3], NULL, 10);
  int process = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
  if (process < 0) die("pidfd_open");
  int memory = (int)syscall(SYS_pidfd_getfd, process, atoi(argv[2]), 0);
  if (memory < 0) die("pidfd_getfd");
  char *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, memory, 0);
  if (at == MAP_FAILED) die("mmap");
  return fwrite(at, 1, bytes, stdout) == bytes ? 0 : 1;
}
