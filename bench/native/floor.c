/*
 * floor: the least an HTTP answer can cost on this kernel. `floor PORT WORKERS`: a parent that waits, and WORKERS processes, each with
 * a SO_REUSEPORT socket and an epoll set of its own, no parsing beyond the end of the header. What a server written in C and bare of
 * every feature would cost; rivals are read against it.
 *
 * Answers 13 bytes to /, its pid to /pid; after a request for /block the worker is out of its loop 400 ms in every 500.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void answer(int fd, const char *request, int *blocks) {
  char body[32] = "Hello, world!", text[256];
  if (!strncmp(request, "GET /pid ", 9)) snprintf(body, sizeof body, "%d", (int)getpid());
  if (!strncmp(request, "GET /block ", 11)) *blocks = 1;
  int closes = strstr(request, "Connection: close") != NULL;
  int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n%s\r\n%s", strlen(body),
                   closes ? "Connection: close\r\n" : "", body);
  if (send(fd, text, (size_t)n, MSG_NOSIGNAL) < 0 || closes) close(fd);
}

static void serve(int listener) {
  int epfd = epoll_create1(EPOLL_CLOEXEC), blocks = 0;
  int64_t block_at = 0;
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[64];
  epoll_ctl(epfd, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    int wait = -1;
    if (blocks) {
      if (!block_at) block_at = now_ms() + 100;
      wait = (int)(block_at - now_ms());
      if (wait <= 0) {
        usleep(400000);
        block_at = now_ms() + 100;
        continue;
      }
    }
    int n = epoll_wait(epfd, events, 64, wait);
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (client < 0) continue;
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        e = (struct epoll_event){.events = EPOLLIN, .data.fd = client};
        epoll_ctl(epfd, EPOLL_CTL_ADD, client, &e);
        continue;
      }
      char request[2048];
      ssize_t got = recv(fd, request, sizeof request - 1, 0);
      if (got <= 0) {
        if (got == 0 || errno != EAGAIN) close(fd);
        continue;
      }
      request[got] = 0; /* the bench's requests are one small segment */
      if (strstr(request, "\r\n\r\n")) answer(fd, request, &blocks);
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: floor PORT WORKERS\n"), 2;
  int workers = atoi(argv[2]), on = 1;
  struct rlimit limit;
  if (!getrlimit(RLIMIT_NOFILE, &limit)) limit.rlim_cur = limit.rlim_max, setrlimit(RLIMIT_NOFILE, &limit);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  for (int i = 0; i < workers; i++) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0) die("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(listener, (void *)&at, sizeof at) < 0) die("bind");
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) return 0;
      if (listen(listener, 2048) < 0) die("listen");
      serve(listener);
    }
    close(listener);
  }
  while (wait(NULL) > 0) {}
  return 0;
}
