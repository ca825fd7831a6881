/*
 * load: the load generator of the bench. One thread, one epoll set, one JSON object on stdout.
 *
 *   load open   --address H:P|unix:PATH --rate R --seconds S [--keepalive N]    Poisson arrivals, whatever the server does
 *   load closed --address …  --connections N --requests K | --seconds S [--keepalive 1] [--gap-us G]
 *   load hold   --address …  --connections N --pattern paced|burst|churn [--turns T] [--gap-us G]
 *   common: --path /  --timeout-ms 5000  --seed 1  --collect 1 (count answers by their body: the bodies are pids)  --fields browser|proxied (more headers)
 *
 * `open` measures from the moment a request was *due*, not from the moment it was sent: a server that stalls is charged for
 * everything that should have been sent meanwhile ("coordinated omission" is the name of the mistake otherwise made). Its own lateness is
 * reported as `lag`, so that a starved generator shows. Without --keepalive every request has a connection of its own, with
 * `Connection: close`; with it, arrivals take an idle connection of a pool, or wait (their clock running) until one is idle.
 *
 * Client ports: the server closes first and so keeps the TIME_WAIT; source addresses rotate through 127.0.0.0/8 all the same, so that
 * no run ends for want of ports.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define STUCK_US 50000
#define BUFFER 4096

/* ---- histogram: 64 steps per power of two, so at most 1.6 % wide; microseconds ---- */
#define STEPS 64
#define BUCKETS (STEPS * 40)
static uint64_t histogram[BUCKETS];

static unsigned bucket_of(uint64_t us) {
  if (us < 2 * STEPS) return (unsigned)us;
  unsigned shift = 63 - (unsigned)__builtin_clzll(us) - 6;
  unsigned at = shift * STEPS + (unsigned)(us >> shift);
  return at < BUCKETS ? at : BUCKETS - 1;
}
/* The highest value that falls into a bucket: quantiles are never flattered. */
static uint64_t bucket_top(unsigned at) {
  if (at < 2 * STEPS) return at;
  unsigned shift = at / STEPS - 1;
  uint64_t low = (uint64_t)(at - shift * STEPS) << shift;
  return low + ((1ULL << shift) - 1);
}

/* ---- options and totals ---- */
static const char *address, *path = "/", *pattern = "paced";
static double rate = 0, seconds = 0;
static long connections = 1, requests = 0, keepalive = 0, gap_us = 0, turns = 0, timeout_ms = 5000, collect = 0;
static uint64_t seed = 1;

static struct {
  uint64_t planned, ok, refused, reset, eof, timeout, status, other, stale, stuck, max_us, lag_us;
  double sum_us;
} total;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static double uniform(void) { /* xorshift64*; in (0, 1] */
  seed ^= seed >> 12, seed ^= seed << 25, seed ^= seed >> 27;
  return ((double)((seed * 2685821657736338717ULL) >> 11) + 1) / 9007199254740993.0;
}

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(2);
}

/* ---- answers counted by body ---- */
#define MAX_BODIES 4096
static struct { char text[32]; long count; } bodies[MAX_BODIES];
static int body_count;

static int body_index(const char *text, size_t length) {
  if (length > 31) length = 31;
  for (int i = 0; i < body_count; i++)
    if (strlen(bodies[i].text) == length && !memcmp(bodies[i].text, text, length)) return i;
  if (body_count == MAX_BODIES) return -1;
  memcpy(bodies[body_count].text, text, length);
  for (size_t i = 0; i < length; i++) /* the bodies go into JSON */
    if (text[i] < ' ' || text[i] == '"' || text[i] == '\\') bodies[body_count].text[i] = ' ';
  return body_count++;
}

static void print_bodies(void) {
  printf("\"bodies\":{");
  int shown = 0;
  for (int i = 0; i < body_count; i++)
    if (bodies[i].count) printf("%s\"%s\":%ld", shown++ ? "," : "", bodies[i].text, bodies[i].count);
  printf("}");
}

/* ---- sockets ---- */
static struct sockaddr_storage target;
static socklen_t target_length;
static char request_text[2048];
static size_t request_length;

static void parse_address(void) {
  if (!strncmp(address, "unix:", 5)) {
    struct sockaddr_un *un = (void *)&target;
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s", address + 5);
    target_length = sizeof *un;
    return;
  }
  const char *colon = strrchr(address, ':');
  struct sockaddr_in *in = (void *)&target;
  char host[64] = {0};
  if (!colon || (size_t)(colon - address) >= sizeof host) errno = EINVAL, die(address);
  memcpy(host, address, (size_t)(colon - address));
  in->sin_family = AF_INET;
  in->sin_port = htons((uint16_t)atoi(colon + 1));
  if (inet_pton(AF_INET, host, &in->sin_addr) != 1) errno = EINVAL, die(address);
  target_length = sizeof *in;
}

static int open_socket(int flags) {
  static uint32_t source;
  int fd = socket(target.ss_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -1;
  if (target.ss_family == AF_INET) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f000002 + source++ % 200);
    if (((struct sockaddr_in *)&target)->sin_addr.s_addr == htonl(INADDR_LOOPBACK)) (void)!bind(fd, (void *)&from, sizeof from);
  }
  return fd;
}

/* ---- one connection ---- */
enum state { FREE, CONNECTING, SENDING, READING, IDLE };
struct conn {
  int fd;
  enum state state;
  int reused;
  uint64_t due_ns, sent_ns;
  size_t sent, got, head;
  long length; /* Content-Length; -1: until end of file */
  struct conn *next, *previous; /* in flight, in order of start */
  struct conn *next_free;
  char buffer[BUFFER];
};
static struct conn *conns, *free_list, *idle_list;
static struct conn flight = {.next = &flight, .previous = &flight};
static long conn_max, in_flight;
static int epfd;
static uint64_t next_start_ns; /* closed loop with a gap: when the next request may start */

static void unlink_flight(struct conn *c) {
  c->previous->next = c->next, c->next->previous = c->previous;
  in_flight--;
}

static void drop(struct conn *c) {
  if (c->state != IDLE) unlink_flight(c);
  if (c->fd >= 0) close(c->fd);
  c->fd = -1, c->state = FREE;
  c->next_free = free_list, free_list = c;
}

static void fail(struct conn *c, int error) {
  /* An idle keep-alive connection that the server closed just as it was reused: a client would ask again; counted apart. */
  if (c->reused && c->got == 0 && error != ETIMEDOUT) total.stale++;
  else if (error == ECONNREFUSED) total.refused++;
  else if (error == ECONNRESET || error == EPIPE) total.reset++;
  else if (error == 0) total.eof++;
  else if (error == ETIMEDOUT) total.timeout++;
  else total.other++;
  drop(c);
}

static void watch(struct conn *c, uint32_t events, int op) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  if (epoll_ctl(epfd, op, c->fd, &e) < 0) die("epoll_ctl");
}

static void finish(struct conn *c, uint64_t now) {
  uint64_t us = (now - c->due_ns) / 1000;
  const char *body = c->buffer + c->head;
  if (c->got < 12 || memcmp(c->buffer, "HTTP/1.", 7) || c->buffer[9] != '2') total.status++;
  else {
    total.ok++;
    histogram[bucket_of(us)]++;
    total.sum_us += (double)us;
    if (us > total.max_us) total.max_us = us;
    if (us > STUCK_US) total.stuck++;
    if (collect) {
      size_t kept = c->got < BUFFER ? c->got : BUFFER - 1;
      int at = body_index(body, kept > c->head ? kept - c->head : 0);
      if (at >= 0) bodies[at].count++;
    }
  }
  int closes = !keepalive || c->length < 0;
  if (!closes) {
    c->buffer[c->head] = 0;
    closes = strcasestr(c->buffer, "connection: close") != NULL;
  }
  if (closes) { drop(c); return; }
  unlink_flight(c);
  c->state = IDLE, c->reused = 1;
  c->next_free = idle_list, idle_list = c;
}

static void pump(struct conn *c) {
  if (c->state == CONNECTING) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) { fail(c, error); return; }
    c->state = SENDING;
  }
  if (c->state == SENDING) {
    ssize_t n = send(c->fd, request_text + c->sent, request_length - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) { watch(c, EPOLLOUT, EPOLL_CTL_MOD); return; }
    if (n < 0) { fail(c, errno); return; }
    c->sent += (size_t)n;
    if (c->sent < request_length) return;
    c->state = READING;
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
    return;
  }
  if (c->state == IDLE) { /* the server closed an idle connection: its right; leave the pool */
    char byte;
    if (recv(c->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN) return;
    for (struct conn **at = &idle_list; *at; at = &(*at)->next_free)
      if (*at == c) { *at = c->next_free; break; }
    drop(c);
    return;
  }
  for (;;) {
    /* Of a long body only the beginning is kept. */
    static char rest[1 << 16];
    int full = c->got >= BUFFER - 1;
    ssize_t n = full ? recv(c->fd, rest, sizeof rest, 0) : recv(c->fd, c->buffer + c->got, BUFFER - 1 - c->got, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) { fail(c, errno); return; }
    if (n == 0) {
      if (c->head && c->length < 0) finish(c, now_ns());
      else fail(c, 0);
      return;
    }
    c->got += (size_t)n;
    if (!c->head) {
      char *end = memmem(c->buffer, c->got, "\r\n\r\n", 4);
      if (!end) { if (c->got >= BUFFER - 1) { fail(c, EPROTO); return; } continue; }
      c->head = (size_t)(end - c->buffer) + 4;
      end[2] = 0;
      char *length = strcasestr(c->buffer, "\r\ncontent-length:");
      c->length = length ? atol(length + 17) : -1;
      end[2] = '\r';
    }
    if (c->length >= 0 && c->got >= c->head + (size_t)c->length) { finish(c, now_ns()); return; }
  }
}

/* Start the request that was due at `due`; 0 when there is no connection to start it on (keep-alive pool busy, or too many open). */
static int start(uint64_t due) {
  struct conn *c = NULL;
  if (keepalive && idle_list) {
    c = idle_list, idle_list = c->next_free;
  } else {
    if (!free_list) return 0;
    c = free_list, free_list = c->next_free;
    c->fd = -1, c->reused = 0;
  }
  uint64_t now = now_ns();
  if ((now - due) / 1000 > total.lag_us && !keepalive) total.lag_us = (now - due) / 1000;
  c->due_ns = due, c->sent_ns = now;
  c->sent = c->got = c->head = 0, c->length = -1;
  c->previous = flight.previous, c->next = &flight;
  flight.previous->next = c, flight.previous = c;
  in_flight++;
  total.planned++;
  if (c->fd >= 0) { c->state = SENDING; pump(c); return 1; }
  c->state = CONNECTING;
  c->fd = open_socket(SOCK_NONBLOCK);
  if (c->fd < 0) { fail(c, errno); return 1; }
  int result = connect(c->fd, (void *)&target, target_length);
  if (result < 0 && errno != EINPROGRESS) { fail(c, errno); return 1; }
  watch(c, EPOLLOUT, EPOLL_CTL_ADD);
  if (result == 0) pump(c);
  return 1;
}

static void expire(uint64_t now) {
  while (flight.next != &flight && now > flight.next->sent_ns + (uint64_t)timeout_ms * 1000000ULL) fail(flight.next, ETIMEDOUT);
}

static void wait_until(uint64_t deadline) {
  static struct epoll_event events[512];
  uint64_t now = now_ns();
  uint64_t left = deadline > now ? deadline - now : 0;
  struct timespec t = {(time_t)(left / 1000000000ULL), (long)(left % 1000000000ULL)};
  int n = epoll_pwait2(epfd, events, 512, &t, NULL);
  for (int i = 0; i < n; i++) {
    struct conn *c = events[i].data.ptr;
    if (c->state != FREE) pump(c);
  }
}

static void run_open(void) {
  uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9);
  double due = (double)begin;
  due += -log(uniform()) / rate * 1e9;
  for (;;) {
    uint64_t now = now_ns();
    while (due <= (double)now && due < (double)end) {
      if (!start((uint64_t)due)) break;
      due += -log(uniform()) / rate * 1e9;
    }
    expire(now);
    if (due >= (double)end && in_flight == 0) break;
    uint64_t until = now + 50000000ULL;
    int blocked = !free_list && !(keepalive && idle_list);
    if (!blocked && due < (double)end && due < (double)until) until = (uint64_t)due;
    wait_until(until);
  }
}

static void run_closed(void) {
  uint64_t begin = now_ns(), end = seconds > 0 ? begin + (uint64_t)(seconds * 1e9) : UINT64_MAX;
  next_start_ns = begin;
  for (;;) {
    uint64_t now = now_ns();
    int over = now >= end || (requests && total.planned >= (uint64_t)requests);
    while (!over && in_flight < connections && now >= next_start_ns) {
      if (!start(now)) break;
      if (gap_us) next_start_ns = now + (uint64_t)((double)gap_us * 1000.0 * (0.5 + uniform()));
      now = now_ns();
      over = now >= end || (requests && total.planned >= (uint64_t)requests);
    }
    expire(now);
    if (over && in_flight == 0) break;
    uint64_t until = now + 50000000ULL;
    if (gap_us && in_flight < connections && next_start_ns < until) until = next_start_ns;
    wait_until(until);
  }
}

/* ---- hold: blocking sockets; connections stay open, the answers say who holds them ---- */
static void pause_us(long us) {
  struct timespec t = {us / 1000000, us % 1000000 * 1000};
  if (us) nanosleep(&t, NULL);
}
static int hold_open(void) {
  int fd = open_socket(0);
  if (fd < 0) die("socket");
  struct timeval tv = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
  if (connect(fd, (void *)&target, target_length) < 0) {
    if (errno == ECONNREFUSED) total.refused++; else total.other++;
    close(fd);
    return -1;
  }
  return fd;
}
static int hold_ask(int fd) { return fd < 0 || send(fd, request_text, request_length, MSG_NOSIGNAL) == (ssize_t)request_length; }
static int hold_answer(int fd) { /* index of the body, or -1 */
  char buffer[BUFFER];
  size_t got = 0;
  for (;;) {
    ssize_t n = recv(fd, buffer + got, sizeof buffer - 1 - got, 0);
    if (n <= 0) {
      if (n == 0) total.eof++; else if (errno == EAGAIN) total.timeout++; else total.reset++;
      return -1;
    }
    got += (size_t)n, buffer[got] = 0;
    char *end = strstr(buffer, "\r\n\r\n"), *length = strcasestr(buffer, "\r\ncontent-length:");
    if (end && length && got >= (size_t)(end + 4 - buffer) + (size_t)atol(length + 17)) {
      total.ok++;
      return body_index(end + 4, (size_t)atol(length + 17));
    }
    if (got >= sizeof buffer - 1) { total.other++; return -1; }
  }
}
static void run_hold(void) {
  int *fds = calloc((size_t)connections, sizeof *fds), *who = calloc((size_t)connections, sizeof *who);
  total.planned = (uint64_t)connections;
  if (!strcmp(pattern, "burst")) {
    for (long i = 0; i < connections; i++) fds[i] = hold_open();
    for (long i = 0; i < connections; i++) (void)!hold_ask(fds[i]);
    for (long i = 0; i < connections; i++) who[i] = fds[i] < 0 ? -1 : hold_answer(fds[i]);
  } else {
    for (long i = 0; i < connections; i++) {
      fds[i] = hold_open();
      (void)!hold_ask(fds[i]);
      who[i] = fds[i] < 0 ? -1 : hold_answer(fds[i]);
      pause_us(gap_us);
    }
    if (!strcmp(pattern, "churn")) {
      total.planned += (uint64_t)turns;
      for (long t = 0; t < turns; t++) {
        long i = (long)(uniform() * (double)connections) % connections;
        if (fds[i] >= 0) close(fds[i]);
        pause_us(gap_us); /* the server learns of the end before the next begins */
        fds[i] = hold_open();
        (void)!hold_ask(fds[i]);
        who[i] = fds[i] < 0 ? -1 : hold_answer(fds[i]);
      }
    }
  }
  for (long i = 0; i < connections; i++)
    if (who[i] >= 0) bodies[who[i]].count++;
}

/* What a browser sends, and what a proxy in front adds. */
#define BROWSER \
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n" \
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n" \
  "Accept-Encoding: gzip, deflate, br, zstd\r\nReferer: https://bench.example/\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n" \
  "Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\nPriority: u=0, i\r\n"
#define PROXIED "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: bench.example\r\n"
static const char *fields = "";

int main(int argc, char **argv) {
  if (argc < 4) return fprintf(stderr, "usage: load open|closed|hold --address H:P …  (see the head of load.c)\n"), 2;
  for (int i = 2; i + 1 < argc; i += 2) {
    const char *k = argv[i], *v = argv[i + 1];
    if (!strcmp(k, "--address")) address = v;
    else if (!strcmp(k, "--path")) path = v;
    else if (!strcmp(k, "--pattern")) pattern = v;
    else if (!strcmp(k, "--rate")) rate = atof(v);
    else if (!strcmp(k, "--seconds")) seconds = atof(v);
    else if (!strcmp(k, "--connections")) connections = atol(v);
    else if (!strcmp(k, "--requests")) requests = atol(v);
    else if (!strcmp(k, "--keepalive")) keepalive = atol(v);
    else if (!strcmp(k, "--gap-us")) gap_us = atol(v);
    else if (!strcmp(k, "--turns")) turns = atol(v);
    else if (!strcmp(k, "--timeout-ms")) timeout_ms = atol(v);
    else if (!strcmp(k, "--seed")) seed = strtoull(v, NULL, 10) * 2654435761ULL + 88172645463325252ULL;
    else if (!strcmp(k, "--collect")) collect = atol(v);
    else if (!strcmp(k, "--fields")) fields = !strcmp(v, "browser") ? BROWSER : !strcmp(v, "proxied") ? BROWSER PROXIED : "";
    else return fprintf(stderr, "load: unknown option %s\n", k), 2;
  }
  if (!address) return fprintf(stderr, "load: --address is missing\n"), 2;
  parse_address();
  struct rlimit limit;
  if (!getrlimit(RLIMIT_NOFILE, &limit)) limit.rlim_cur = limit.rlim_max, setrlimit(RLIMIT_NOFILE, &limit);
  int open_loop = !strcmp(argv[1], "open"), hold = !strcmp(argv[1], "hold");
  request_length = (size_t)snprintf(request_text, sizeof request_text, "GET %s HTTP/1.1\r\nHost: bench\r\n%s%s\r\n", path,
                                    keepalive || hold ? "" : "Connection: close\r\n", fields);
  conn_max = open_loop ? (keepalive ? keepalive : 4000) : connections;
  conns = calloc((size_t)conn_max, sizeof *conns);
  for (long i = 0; i < conn_max; i++) conns[i].fd = -1, conns[i].next_free = free_list, free_list = &conns[i];
  epfd = epoll_create1(EPOLL_CLOEXEC);
  uint64_t begin = now_ns();
  if (open_loop) {
    if (rate <= 0 || seconds <= 0) return fprintf(stderr, "load: open needs --rate and --seconds\n"), 2;
    run_open();
  } else if (hold) run_hold();
  else if (requests || seconds > 0) run_closed();
  else return fprintf(stderr, "load: closed needs --requests or --seconds\n"), 2;
  printf("{\"seconds\":%.6f,\"planned\":%lu,\"ok\":%lu,\"errors\":{\"refused\":%lu,\"reset\":%lu,\"eof\":%lu,\"timeout\":%lu,"
         "\"status\":%lu,\"other\":%lu,\"stale\":%lu},\"stuck\":%lu,\"maxUs\":%lu,\"sumUs\":%.0f,\"lagUs\":%lu,\"histogram\":[",
         (double)(now_ns() - begin) / 1e9, total.planned, total.ok, total.refused, total.reset, total.eof, total.timeout, total.status,
         total.other, total.stale, total.stuck, total.max_us, total.sum_us, total.lag_us);
  int shown = 0;
  for (unsigned i = 0; i < BUCKETS; i++)
    if (histogram[i]) printf("%s[%lu,%lu]", shown++ ? "," : "", bucket_top(i), histogram[i]);
  printf("],");
  print_bodies();
  printf("}\n");
  return 0;
}
