/* What both generators need: clock, latencies, connections. Included once by a program of one file. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, WARM_UP_MS = 300, STALL_MS = 10000 };

static void die(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}
static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- latency histogram: 32 linear buckets per power of two, so 3 % resolution */
static uint64_t buckets[64 * 32], samples;
static void record(uint64_t ns) {
  unsigned shift = ns < 32 ? 0 : 58 - (unsigned)__builtin_clzll(ns);
  buckets[ns < 32 ? ns : shift * 32 + (ns >> shift)]++;
  samples++;
}
static double quantile_us(double q) {
  uint64_t wanted = (uint64_t)(q * (double)samples), seen = 0;
  for (unsigned i = 0; i < 64 * 32; i++)
    if ((seen += buckets[i]) > wanted) {
      unsigned shift = i < 64 ? 0 : i / 32 - 1;
      return (double)((uint64_t)(i - shift * 32) << shift) / 1000.0;
    }
  return 0;
}

/* ---- connections of clients */
static struct sockaddr_in target, source;
static int dial(int nonblocking) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | (nonblocking ? SOCK_NONBLOCK : 0), 0);
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (source.sin_family) {
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (void *)&source, sizeof source)) die("bind");
  }
  if (connect(fd, (void *)&target, sizeof target) && errno != EINPROGRESS) die("connect");
  return fd;
}
static const char *tunnel; /* authority to CONNECT to, or null */
static int send_connect(int fd) {
  char text[256];
  int n = snprintf(text, sizeof text, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", tunnel, tunnel);
  return write(fd, text, (size_t)n) == n ? 0 : -1;
}
/* Reads the answer up to its empty line; 1: tunnel open, 0: not all here yet, -1: refused. */
static int read_connect(int fd, int *newlines, char *status, int *seen) {
  char byte;
  while (*newlines < 2) {
    ssize_t r = read(fd, &byte, 1);
    if (r < 0 && errno == EAGAIN) return 0;
    if (r <= 0) return -1;
    if (*seen < 12) status[(*seen)++] = byte;
    if (byte == '\n') (*newlines)++;
    else if (byte != '\r') *newlines = 0;
  }
  return *seen == 12 && !memcmp(status + 8, " 200", 4) ? 1 : -1;
}
static int dial_tunnel(void) {
  int fd = dial(0), newlines = 0, seen = 0;
  char status[12];
  if (tunnel && (send_connect(fd) || read_connect(fd, &newlines, status, &seen) != 1)) die("CONNECT refused");
  return fd;
}
static double own_cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
static void non_blocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

/* Where to, where from, and through which tunnel. */
static void read_target(const char *host, const char *port) {
  target.sin_family = AF_INET;
  target.sin_port = htons((uint16_t)atoi(port));
  if (inet_pton(AF_INET, host, &target.sin_addr) != 1) die("address");
  tunnel = getenv("CONNECT");
  const char *from = getenv("SOURCE");
  if (from && inet_pton(AF_INET, from, &source.sin_addr) == 1) source.sin_family = AF_INET;
}
