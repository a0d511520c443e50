/* Load generator and server of the benchmark: one thread, epoll, C so that it is never the bottleneck.
 *
 *   load serve PORT...                        answers by the first byte of a connection: 'E' echo, 'S' count until FIN,
 *                                             'C' an HTTP/1.1 CONNECT, then one of the others
 *   load bulk HOST PORT CONNECTIONS BYTES     upload, half-close, wait for the server's count
 *   load rr HOST PORT CONNECTIONS SIZE SECS   request of SIZE bytes, same answer, closed loop
 *   load connect HOST PORT PARALLEL SECS      connect, one byte there and back, close
 *   load idle HOST PORT CONNECTIONS           open, one byte there and back, print READY, hold until stdin ends
 *   load abandon HOST PORT PARALLEL SECS      connect, leave at any moment: at once, after some bytes, in order or by RST
 *   load flood HOST PORT CONNECTIONS          print READY, upload until stdin ends
 *
 * With CONNECT=HOST:PORT in the environment a client asks for a tunnel first, as an HTTP proxy wants it.
 * SOURCE=HOST is the address a client connects from.
 * Each client mode prints one JSON line. Failures end it with status 1 and a line on stderr.
 */
#include "load.h"

enum { CHUNK = 256 * 1024, PACE_US = 10000 };
static char chunk[CHUNK];

struct conn {
  int fd, phase, newlines, seen;
  char status[12];
  uint64_t left, started;
  char *pending; /* server: echo that the peer did not take yet */
  size_t pending_from, pending_to;
};

static void watch(int ep, int op, struct conn *c, uint32_t events) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  if (epoll_ctl(ep, op, c->fd, &e)) die("epoll_ctl");
}

/* ---- server */
static void hang_up(struct conn *c) {
  close(c->fd);
  free(c->pending);
  free(c);
}
/* 0: all written or queued; -1: the connection is dead */
static int put(int ep, struct conn *c, const char *data, size_t n) {
  if (c->pending_to == 0) {
    ssize_t w = write(c->fd, data, n);
    if (w < 0 && errno != EAGAIN) return -1;
    if (w > 0) data += w, n -= (size_t)w;
    if (n == 0) return 0;
    watch(ep, EPOLL_CTL_MOD, c, EPOLLOUT);
  }
  char *grown = realloc(c->pending, c->pending_to + n);
  if (!grown) die("realloc");
  memcpy(grown + c->pending_to, data, n);
  c->pending = grown;
  c->pending_to += n;
  return 0;
}
static int flush_pending(int ep, struct conn *c) {
  ssize_t w = write(c->fd, c->pending + c->pending_from, c->pending_to - c->pending_from);
  if (w < 0) return errno == EAGAIN ? 0 : -1;
  c->pending_from += (size_t)w;
  if (c->pending_from == c->pending_to) {
    c->pending_from = c->pending_to = 0;
    watch(ep, EPOLL_CTL_MOD, c, EPOLLIN);
  }
  return 0;
}
static int serve_readable(int ep, struct conn *c) {
  ssize_t n = read(c->fd, chunk, CHUNK);
  if (n < 0) return errno == EAGAIN ? 0 : -1;
  if (n == 0) {
    if (c->phase == 'S' && write(c->fd, &c->left, 8) != 8) return -1;
    return -1;
  }
  char *data = chunk;
  if (c->phase == 0 || c->phase == 'C') {
    if (c->phase == 0 && *data == 'C') c->phase = 'C';
    while (c->phase == 'C' && n > 0) { /* the request ends with an empty line */
      if (*data == '\n') c->newlines++;
      else if (*data != '\r') c->newlines = 0;
      data++, n--;
      if (c->newlines == 2) {
        static const char ok[] = "HTTP/1.1 200 OK\r\n\r\n";
        c->phase = 0;
        if (put(ep, c, ok, sizeof ok - 1)) return -1;
      }
    }
    if (n == 0 || c->phase == 'C') return 0;
    c->phase = *data++;
    n--;
  }
  if (c->phase == 'S') c->left += (uint64_t)n;
  else if (n > 0) return put(ep, c, data, (size_t)n);
  return 0;
}
_Noreturn static void serve(int count, char **ports) {
  int ep = epoll_create1(0), one = 1, zero = 0;
  struct conn listeners[8] = {0};
  for (int i = 0; i < count && i < 8; i++) {
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(ports[i])), .sin6_addr = in6addr_any};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (fd < 0 || bind(fd, (void *)&a, sizeof a) || listen(fd, 4096)) die("listen");
    listeners[i].fd = fd;
    listeners[i].phase = 'L';
    watch(ep, EPOLL_CTL_ADD, &listeners[i], EPOLLIN);
  }
  puts("READY");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(ep, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (c->phase == 'L') {
        for (int fd; (fd = accept4(c->fd, 0, 0, SOCK_NONBLOCK)) >= 0;) {
          struct conn *fresh = calloc(1, sizeof *fresh);
          fresh->fd = fd;
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          watch(ep, EPOLL_CTL_ADD, fresh, EPOLLIN);
        }
      } else if ((events[i].events & EPOLLOUT ? flush_pending(ep, c) : serve_readable(ep, c)) < 0) hang_up(c);
    }
  }
}

/* ---- clients */
/* Connects, and makes sure that the far end answers, before anything is measured. */
static int dial_echo(void) {
  int fd = dial_tunnel();
  char byte;
  if (write(fd, "Ex", 2) != 2) die("write");
  if (read(fd, &byte, 1) != 1) die("no echo");
  return fd;
}
static int bulk(int count, uint64_t total) {
  int ep = epoll_create1(0), live = count;
  struct conn *conns = calloc((size_t)count, sizeof *conns);
  uint64_t each = total / (uint64_t)count;
  for (int i = 0; i < count; i++) conns[i].fd = dial_tunnel();
  uint64_t start = now_ns();
  for (int i = 0; i < count; i++) {
    if (write(conns[i].fd, "S", 1) != 1) die("write");
    conns[i].left = each;
    non_blocking(conns[i].fd);
    watch(ep, EPOLL_CTL_ADD, &conns[i], EPOLLOUT);
  }
  struct epoll_event events[EVENTS];
  while (live > 0) {
    int n = epoll_wait(ep, events, EVENTS, STALL_MS);
    if (n == 0) errno = ETIMEDOUT, die("bulk stalled");
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (c->left > 0) {
        ssize_t w = write(c->fd, chunk, c->left < CHUNK ? c->left : CHUNK);
        if (w < 0 && errno != EAGAIN) die("bulk write");
        if (w > 0) c->left -= (uint64_t)w;
        if (c->left == 0) {
          shutdown(c->fd, SHUT_WR);
          watch(ep, EPOLL_CTL_MOD, c, EPOLLIN);
        }
        continue;
      }
      uint64_t seen = 0;
      if (read(c->fd, &seen, 8) != 8 || seen != each) errno = EPROTO, die("the server did not receive everything");
      close(c->fd);
      live--;
    }
  }
  double seconds = (double)(now_ns() - start) / 1e9;
  printf("{\"seconds\":%.4f,\"gbps\":%.4f,\"cpu\":%.3f}\n", seconds, (double)total * 8 / 1e9 / seconds, own_cpu());
  return 0;
}

static int request_response(int count, size_t size, double secs) {
  int ep = epoll_create1(0);
  struct conn *conns = calloc((size_t)count, sizeof *conns);
  if (size > CHUNK) size = CHUNK;
  for (int i = 0; i < count; i++) {
    conns[i].fd = dial_echo();
    non_blocking(conns[i].fd);
    watch(ep, EPOLL_CTL_ADD, &conns[i], EPOLLIN);
  }
  uint64_t start = now_ns(), warm = start + WARM_UP_MS * 1000000ull, end = warm + (uint64_t)(secs * 1e9), total = 0;
  static char out[CHUNK];
  for (int i = 0; i < count; i++) {
    conns[i].left = size;
    conns[i].started = now_ns();
    if (write(conns[i].fd, out, size) != (ssize_t)size) die("rr write");
  }
  struct epoll_event events[EVENTS];
  uint64_t time = start;
  while (time < end) {
    int n = epoll_wait(ep, events, EVENTS, STALL_MS);
    if (n == 0) errno = ETIMEDOUT, die("rr stalled");
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      ssize_t r = read(c->fd, chunk, CHUNK);
      if (r < 0 && errno == EAGAIN) continue;
      if (r <= 0) die("rr read");
      c->left -= (uint64_t)r;
      if (c->left > 0) continue;
      time = now_ns();
      total++;
      if (c->started >= warm) record(time - c->started);
      c->left = size;
      c->started = time;
      if (write(c->fd, out, size) != (ssize_t)size) die("rr write");
    }
  }
  double seconds = (double)(time - warm) / 1e9;
  /* `total` is what CPU times of others are divided by: they too count from the first request. */
  printf("{\"rate\":%.1f,\"total\":%lu,\"p50\":%.1f,\"p99\":%.1f,\"cpu\":%.3f}\n", (double)samples / seconds,
         (unsigned long)total, quantile_us(.5), quantile_us(.99), own_cpu());
  return 0;
}

static void start_connect(int ep, struct conn *c) {
  c->started = now_ns();
  c->phase = 0;
  c->fd = dial(1);
  watch(ep, EPOLL_CTL_ADD, c, EPOLLOUT);
}
static int connect_rate(int count, double secs) {
  int ep = epoll_create1(0), live = count;
  struct conn *conns = calloc((size_t)count, sizeof *conns);
  uint64_t start = now_ns(), end = start + (uint64_t)(secs * 1e9), failed = 0;
  for (int i = 0; i < count; i++) start_connect(ep, &conns[i]);
  struct epoll_event events[EVENTS];
  while (live > 0) {
    int n = epoll_wait(ep, events, EVENTS, STALL_MS);
    if (n == 0) {
      failed += (uint64_t)live;
      break;
    }
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      int broken = events[i].events & (EPOLLERR | EPOLLHUP), first = c->phase == 0;
      if (first && tunnel && !broken && send_connect(c->fd) == 0) {
        c->phase = 2;
        c->newlines = c->seen = 0;
        watch(ep, EPOLL_CTL_MOD, c, EPOLLIN);
        continue;
      }
      int opened = c->phase == 2 ? read_connect(c->fd, &c->newlines, c->status, &c->seen) : 0;
      if (c->phase == 2 && opened == 0) continue;
      if ((opened == 1 || (first && !broken)) && write(c->fd, "Ex", 2) == 2) {
        c->phase = 1;
        watch(ep, EPOLL_CTL_MOD, c, EPOLLIN);
        continue;
      }
      char byte;
      if (c->phase == 1 && read(c->fd, &byte, 1) == 1) record(now_ns() - c->started);
      else failed++;
      close(c->fd);
      if (now_ns() < end && failed < 1000) start_connect(ep, c);
      else live--;
    }
  }
  double seconds = (double)(now_ns() - start) / 1e9;
  printf("{\"rate\":%.1f,\"count\":%lu,\"failed\":%lu,\"p50\":%.1f,\"p99\":%.1f,\"cpu\":%.3f}\n", (double)samples / seconds,
         (unsigned long)samples, (unsigned long)failed, quantile_us(.5), quantile_us(.99), own_cpu());
  return 0;
}

static int idle(int count) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  for (int i = 0; i < count; i++) dial_echo();
  puts("READY");
  fflush(stdout);
  while (read(0, chunk, 1) > 0) continue;
  return 0;
}

/* Each connection has a fate; what is measured is whether the proxies forget them all. */
static int abandon(int count, double secs) {
  int ep = epoll_create1(0);
  struct conn *conns = calloc((size_t)count, sizeof *conns);
  struct linger reset = {.l_onoff = 1};
  uint64_t end = now_ns() + (uint64_t)(secs * 1e9), total = 0;
  unsigned seed = 1;
  for (int i = 0; i < count; i++) conns[i].fd = -1;
  struct epoll_event events[EVENTS];
  while (now_ns() < end) {
    for (int i = 0; i < count; i++) {
      struct conn *c = &conns[i];
      if (c->fd >= 0 && c->phase > 0) continue;
      if (c->fd >= 0) { /* left: by RST or in order */
        if (rand_r(&seed) & 1) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(c->fd);
        total++;
      }
      c->fd = dial(1);
      c->phase = rand_r(&seed) % 4; /* steps it lives */
      if (c->phase > 0) watch(ep, EPOLL_CTL_ADD, c, EPOLLOUT);
    }
    usleep(PACE_US); /* faster, and proxies refuse what is too much at once */
    int n = epoll_wait(ep, events, EVENTS, 0);
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      size_t size = (size_t)(1 + rand_r(&seed) % (CHUNK - 1));
      chunk[0] = rand_r(&seed) & 1 ? 'E' : 'S';
      if (events[i].events & (EPOLLERR | EPOLLHUP) || (write(c->fd, chunk, size) < 0 && errno != EAGAIN)) c->phase = 0;
      else c->phase--;
    }
  }
  printf("{\"total\":%lu}\n", (unsigned long)total);
  return 0;
}

static int flood(int count) {
  int ep = epoll_create1(0);
  struct conn in = {.fd = 0}, *conns = calloc((size_t)count, sizeof *conns);
  watch(ep, EPOLL_CTL_ADD, &in, EPOLLIN);
  for (int i = 0; i < count; i++) {
    conns[i].fd = dial_tunnel();
    if (write(conns[i].fd, "S", 1) != 1) die("write");
    non_blocking(conns[i].fd);
    watch(ep, EPOLL_CTL_ADD, &conns[i], EPOLLOUT);
  }
  puts("READY");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(ep, events, EVENTS, STALL_MS);
    if (n == 0) errno = ETIMEDOUT, die("flood stalled");
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (c == &in) return 0;
      if (write(c->fd, chunk, CHUNK) < 0 && errno != EAGAIN) die("flood write");
    }
  }
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  const char *mode = argc > 1 ? argv[1] : "";
  if (argc > 2 && !strcmp(mode, "serve")) serve(argc - 2, argv + 2);
  if (argc < 5) {
    fputs("usage: load serve PORT... | bulk|rr|connect|idle|abandon|flood HOST PORT ...\n", stderr);
    return 2;
  }
  read_target(argv[2], argv[3]);
  int count = atoi(argv[4]);
  if (!strcmp(mode, "bulk") && argc > 5) return bulk(count, strtoull(argv[5], 0, 10));
  if (!strcmp(mode, "rr") && argc > 6) return request_response(count, (size_t)atoi(argv[5]), atof(argv[6]));
  if (!strcmp(mode, "connect") && argc > 5) return connect_rate(count, atof(argv[5]));
  if (!strcmp(mode, "idle")) return idle(count);
  if (!strcmp(mode, "abandon") && argc > 5) return abandon(count, atof(argv[5]));
  if (!strcmp(mode, "flood")) return flood(count);
  return 2;
}
