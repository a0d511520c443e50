/* The limit that a relay of this design can reach on a machine: HTTP/2 CONNECT over mutual TLS 1.3, one thread, epoll, OpenSSL, and nothing
 * else. No policy, no identity but the chain, no limits, no telemetry, and peers that are other copies of this program: it shows what
 * the system calls, the copying and the cipher cost. Not for any other use.
 *
 *   relay out HOST PORT PEER_HOST PEER_PORT CERTIFICATE ROOTS     accepts TCP, carries each connection as a stream
 *   relay in  HOST PORT TO_HOST   TO_PORT   CERTIFICATE ROOTS     accepts TLS, connects each stream
 *
 * CERTIFICATE is a file with chain and key. Streams carry flow control as RFC 9113 has it, with fixed windows; headers are sent
 * without compression, and of the peer's only their end is read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
  EVENTS = 256,
  FRAME = 16384,            /* the most a DATA frame holds without being asked for more */
  WINDOW = 1 << 20,         /* of a stream */
  CARRIER_WINDOW = 1 << 24, /* of a connection */
  STREAMS = 100,            /* of a connection, then comes another one */
  OUTPUT = 1 << 20,         /* plain bytes that wait for a connection before its streams are not read any more */
  IN = 1 << 18,
  BUCKETS = 64, /* power of two */
};
enum { DATA = 0, HEADERS = 1, RST = 3, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

static void die(const char *what) {
  fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(1);
}

struct buffer {
  char *bytes;
  size_t from, to, room;
};
static void put(struct buffer *b, const void *bytes, size_t n) {
  if (b->from == b->to) b->from = b->to = 0;
  if (b->to + n > b->room) {
    if (b->from) memmove(b->bytes, b->bytes + b->from, b->to - b->from), b->to -= b->from, b->from = 0;
    if (b->to + n > b->room && !(b->bytes = realloc(b->bytes, b->room = (b->to + n) * 2))) die("realloc");
  }
  memcpy(b->bytes + b->to, bytes, n);
  b->to += n;
}
static size_t held(const struct buffer *b) { return b->to - b->from; }
static void release(struct buffer *b) { free(b->bytes), memset(b, 0, sizeof *b); }

enum kind { LISTENER, PLAIN, CARRIER };
struct carrier;
struct plain { /* a TCP connection and the stream that carries it */
  enum kind kind;
  int fd, watched, connecting, read_ended, peer_ended, gone;
  uint32_t id;
  int64_t window;   /* that we may send */
  size_t unreported; /* received and passed on, not yet given back to the peer's window */
  struct buffer out;
  struct carrier *by;
  struct plain *next; /* of its bucket, or of the dead */
};
struct carrier {
  enum kind kind;
  int fd, watched, ready, dead, dirty;
  SSL *ssl;
  uint32_t next_id;
  int streams;
  int64_t window;
  size_t unreported;
  struct buffer in, out;   /* frames */
  struct plain *streams_of[BUCKETS];
  struct carrier *next;
};

static int ep, is_out;
static SSL_CTX *tls;
static struct sockaddr_in target;
static struct carrier *carriers;
static struct plain *dead;
static char chunk[IN];

static void watch(void *who, int fd, int *watched, int events) {
  struct epoll_event e = {.events = (uint32_t)events, .data.ptr = who};
  if (events == *watched) return;
  if (epoll_ctl(ep, *watched < 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &e)) die("epoll_ctl");
  *watched = events;
}
static int dial(void) {
  int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (void *)&target, sizeof target) && errno != EINPROGRESS) die("connect");
  return fd;
}

/* ---- frames */
static void frame(struct carrier *c, int type, int flags, uint32_t id, const void *payload, size_t n) {
  unsigned char head[9] = {(unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n, (unsigned char)type,
                           (unsigned char)flags,     (unsigned char)(id >> 24), (unsigned char)(id >> 16),
                           (unsigned char)(id >> 8), (unsigned char)id};
  put(&c->out, head, 9);
  put(&c->out, payload, n);
  c->dirty = 1;
}
static void grant(struct carrier *c, uint32_t id, size_t n) {
  uint32_t more = htonl((uint32_t)n);
  frame(c, WINDOW_UPDATE, 0, id, &more, 4);
}
static void greet(struct carrier *c) {
  static const unsigned char settings[] = {0, 4, WINDOW >> 24, (WINDOW >> 16) & 255, (WINDOW >> 8) & 255, WINDOW & 255};
  if (is_out) put(&c->out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
  frame(c, SETTINGS, 0, 0, settings, sizeof settings);
  grant(c, 0, CARRIER_WINDOW - 65535);
}

static void watch_plain(struct plain *p) {
  int may_read = !p->read_ended && !p->connecting && p->window > 0 && p->by->window > 0 && held(&p->by->out) < OUTPUT;
  watch(p, p->fd, &p->watched, (may_read ? EPOLLIN : 0) | (p->connecting || held(&p->out) ? EPOLLOUT : 0));
}
static struct plain **bucket(struct carrier *c, uint32_t id) { return &c->streams_of[id / 2 & (BUCKETS - 1)]; }
static struct plain *find(struct carrier *c, uint32_t id) {
  struct plain *p = *bucket(c, id);
  while (p && p->id != id) p = p->next;
  return p;
}
static void watch_all(struct carrier *c) {
  for (int i = 0; i < BUCKETS; i++)
    for (struct plain *p = c->streams_of[i]; p; p = p->next) watch_plain(p);
}
static void forget(struct plain *p) {
  if (p->gone) return;
  p->gone = 1;
  close(p->fd);
  struct plain **at = bucket(p->by, p->id);
  while (*at != p) at = &(*at)->next;
  *at = p->next;
  p->by->streams--;
  release(&p->out);
  p->next = dead;
  dead = p;
}
static void reset(struct plain *p) {
  static const unsigned char cancel[] = {0, 0, 0, 8};
  if (!p->gone) frame(p->by, RST, 0, p->id, cancel, 4);
  forget(p);
}
static void maybe_over(struct plain *p) {
  if (p->read_ended && p->peer_ended && !held(&p->out)) forget(p);
}
static struct plain *stream(struct carrier *c, uint32_t id, int fd) {
  struct plain *p = calloc(1, sizeof *p);
  *p = (struct plain){.kind = PLAIN, .fd = fd, .watched = -1, .id = id, .window = WINDOW, .by = c};
  p->next = *bucket(c, id);
  *bucket(c, id) = p;
  c->streams++;
  return p;
}

/* ---- from an application */
static void read_plain(struct plain *p) {
  int64_t most = p->window < p->by->window ? p->window : p->by->window;
  ssize_t n = read(p->fd, chunk, (size_t)most < IN ? (size_t)most : IN);
  if (n < 0 && errno == EAGAIN) return;
  if (n < 0) return reset(p);
  for (ssize_t at = 0; at < n; at += FRAME)
    frame(p->by, DATA, 0, p->id, chunk + at, (size_t)(n - at < FRAME ? n - at : FRAME));
  p->window -= n;
  p->by->window -= n;
  if (n == 0) {
    frame(p->by, DATA, END_STREAM, p->id, "", 0);
    p->read_ended = 1;
    maybe_over(p);
  }
}
static void report(struct plain *p, size_t n) {
  if ((p->unreported += n) < WINDOW / 2 || p->peer_ended) return;
  grant(p->by, p->id, p->unreported);
  p->unreported = 0;
}
static void write_plain(struct plain *p) {
  if (held(&p->out)) {
    ssize_t n = write(p->fd, p->out.bytes + p->out.from, held(&p->out));
    if (n < 0 && errno != EAGAIN) return reset(p);
    if (n > 0) p->out.from += (size_t)n, report(p, (size_t)n);
    if (held(&p->out)) return;
    if (p->out.room > 4 * FRAME) release(&p->out);
  }
  if (p->peer_ended) {
    shutdown(p->fd, SHUT_WR);
    maybe_over(p);
  }
}
static void plain_event(struct plain *p, uint32_t events) {
  if (p->gone) return;
  /* Who left before the peer answered. */
  if (p->connecting && is_out && events & (EPOLLERR | EPOLLHUP)) return reset(p);
  if (p->connecting && !is_out && events & (EPOLLOUT | EPOLLERR)) {
    int failure = 0;
    socklen_t size = sizeof failure;
    getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &failure, &size);
    if (failure) return reset(p);
    p->connecting = 0;
    frame(p->by, HEADERS, END_HEADERS, p->id, "\x88", 1); /* :status 200 */
    write_plain(p);
  } else if (events & EPOLLOUT) write_plain(p);
  if (!p->gone && events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !p->read_ended && !p->connecting) {
    if (p->window > 0 && p->by->window > 0) read_plain(p);
  }
  if (!p->gone) watch_plain(p);
}

/* ---- from the peer */
static void data(struct carrier *c, uint32_t id, int flags, const char *bytes, size_t n) {
  struct plain *p = find(c, id);
  if ((c->unreported += n) >= CARRIER_WINDOW / 2) grant(c, 0, c->unreported), c->unreported = 0;
  if (!p) return;
  if (flags & END_STREAM) p->peer_ended = 1;
  if (!held(&p->out) && !p->connecting && n > 0) { /* straight through, as a rule */
    ssize_t w = write(p->fd, bytes, n);
    if (w < 0 && errno != EAGAIN) return reset(p);
    if (w > 0) bytes += w, n -= (size_t)w, report(p, (size_t)w);
  }
  if (n > 0) put(&p->out, bytes, n);
  else if (!held(&p->out) && p->peer_ended && !p->connecting) write_plain(p);
  if (!p->gone) watch_plain(p);
}
static void opened(struct carrier *c, uint32_t id) {
  struct plain *p = find(c, id);
  if (is_out) {
    if (p) p->connecting = 0, watch_plain(p);
    return;
  }
  p = stream(c, id, dial());
  p->connecting = 1;
  watch_plain(p);
}
static void widen(struct carrier *c, uint32_t id, uint32_t n) {
  struct plain *p = find(c, id);
  if (id == 0) {
    int was_shut = c->window <= 0;
    c->window += n;
    if (was_shut) watch_all(c);
  } else if (p) p->window += n, watch_plain(p);
}
static uint32_t number(const char *at) {
  uint32_t n;
  memcpy(&n, at, 4);
  return ntohl(n);
}
static void frames(struct carrier *c) {
  struct buffer *b = &c->in;
  if (!is_out && !c->ready) {
    if (held(b) < 24) return;
    b->from += 24;
    c->ready = 1;
  }
  while (held(b) >= 9) {
    const char *at = b->bytes + b->from;
    size_t n = number(at) >> 8;
    int type = at[3], flags = at[4];
    uint32_t id = number(at + 5) & 0x7fffffff;
    if (held(b) < 9 + n) break;
    const char *payload = at + 9;
    if (type == DATA) data(c, id, flags, payload, n);
    else if (type == HEADERS) opened(c, id);
    else if (type == WINDOW_UPDATE) widen(c, id, number(payload));
    else if (type == SETTINGS && !(flags & ACK)) frame(c, SETTINGS, ACK, 0, "", 0);
    else if (type == PING && !(flags & ACK)) frame(c, PING, ACK, 0, payload, 8);
    else if (type == RST && find(c, id)) forget(find(c, id));
    b->from += 9 + n;
  }
}
static void lose(struct carrier *c) {
  c->dead = 1;
  for (int i = 0; i < BUCKETS; i++)
    while (c->streams_of[i]) forget(c->streams_of[i]);
  close(c->fd);
}
static void flush_carrier(struct carrier *c) {
  if (!SSL_is_init_finished(c->ssl)) return;
  c->dirty = 0;
  while (held(&c->out)) {
    size_t n = held(&c->out) < FRAME ? held(&c->out) : FRAME;
    int w = SSL_write(c->ssl, c->out.bytes + c->out.from, (int)n);
    if (w <= 0) break;
    int was_full = held(&c->out) >= OUTPUT;
    c->out.from += (size_t)w;
    if (was_full && held(&c->out) < OUTPUT) watch_all(c);
  }
  watch(c, c->fd, &c->watched, EPOLLIN | (held(&c->out) ? EPOLLOUT : 0));
}
static void carrier_event(struct carrier *c) {
  if (c->dead) return;
  if (!SSL_is_init_finished(c->ssl)) {
    int r = SSL_do_handshake(c->ssl);
    if (r != 1) {
      int why = SSL_get_error(c->ssl, r);
      if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return lose(c);
      return watch(c, c->fd, &c->watched, EPOLLIN | (why == SSL_ERROR_WANT_WRITE ? EPOLLOUT : 0));
    }
  }
  for (;;) {
    struct buffer *b = &c->in;
    if (b->from == b->to) b->from = b->to = 0;
    if (b->room - b->to < FRAME) put(b, chunk, FRAME), b->to -= FRAME; /* makes room */
    int n = SSL_read(c->ssl, b->bytes + b->to, (int)(b->room - b->to));
    if (n <= 0) {
      int why = SSL_get_error(c->ssl, n);
      ERR_clear_error();
      if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
      return lose(c);
    }
    b->to += (size_t)n;
    frames(c);
  }
  flush_carrier(c);
}
static struct carrier *carrier(int fd) {
  int one = 1;
  struct carrier *c = calloc(1, sizeof *c);
  *c = (struct carrier){.kind = CARRIER, .fd = fd, .watched = -1, .next_id = 1, .window = 65535, .ssl = SSL_new(tls), .next = carriers};
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  SSL_set_fd(c->ssl, fd);
  if (is_out) SSL_set_connect_state(c->ssl);
  else SSL_set_accept_state(c->ssl);
  carriers = c;
  greet(c);
  watch(c, fd, &c->watched, EPOLLIN | EPOLLOUT);
  return c;
}
static void accept_plain(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct carrier *c = carriers;
  while (c && (c->dead || c->streams >= STREAMS)) c = c->next;
  if (!c) c = carrier(dial());
  struct plain *p = stream(c, c->next_id, fd);
  c->next_id += 2;
  p->connecting = 1; /* until the peer answers */
  static const char headers[] = "\x02\x07" "CONNECT" "\x01\x0c" "10.0.0.1:900" "\x0";
  frame(c, HEADERS, END_HEADERS, p->id, headers, sizeof headers - 2);
  watch(p, fd, &p->watched, 0);
}

static int choose(SSL *ssl, const unsigned char **out, unsigned char *length, const unsigned char *in, unsigned int n, void *arg) {
  (void)ssl, (void)arg;
  return SSL_select_next_proto((unsigned char **)out, length, (const unsigned char *)"\x02h2", 3, in, n) == OPENSSL_NPN_NEGOTIATED
             ? SSL_TLSEXT_ERR_OK
             : SSL_TLSEXT_ERR_ALERT_FATAL;
}

int main(int argc, char **argv) {
  if (argc != 8) return fputs("usage: relay out|in HOST PORT TO_HOST TO_PORT CERTIFICATE ROOTS\n", stderr), 2;
  signal(SIGPIPE, SIG_IGN);
  is_out = !strcmp(argv[1], "out");
  tls = SSL_CTX_new(TLS_method());
  SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION);
  SSL_CTX_set_num_tickets(tls, 0);
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(tls, 1);
  SSL_CTX_set_default_read_buffer_len(tls, 65536);
  if (SSL_CTX_use_certificate_chain_file(tls, argv[6]) != 1 || SSL_CTX_use_PrivateKey_file(tls, argv[6], SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(tls, argv[7], 0) != 1)
    die("certificates");
  SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, 0);
  SSL_CTX_set_alpn_protos(tls, (const unsigned char *)"\x02h2", 3);
  SSL_CTX_set_alpn_select_cb(tls, choose, 0);
  target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[5]))};
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  if (inet_pton(AF_INET, argv[4], &target.sin_addr) != 1 || inet_pton(AF_INET, argv[2], &own.sin_addr) != 1) die("address");
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), watched = -1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&own, sizeof own) || listen(listener, 4096)) die("listen");
  ep = epoll_create1(0);
  static enum kind kind = LISTENER;
  watch(&kind, listener, &watched, EPOLLIN);
  puts("READY");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(ep, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      void *who = events[i].data.ptr;
      switch (*(enum kind *)who) {
        case LISTENER:
          for (int fd; (fd = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;)
            if (is_out) accept_plain(fd);
            else carrier(fd);
          break;
        case PLAIN:
          plain_event(who, events[i].events);
          break;
        case CARRIER:
          carrier_event(who);
          break;
      }
    }
    for (struct carrier **at = &carriers; *at;) {
      struct carrier *c = *at;
      if (!c->dead && c->dirty) flush_carrier(c);
      if (c->dead) {
        *at = c->next;
        SSL_free(c->ssl), release(&c->in), release(&c->out), free(c);
      } else at = &c->next;
    }
    while (dead) {
      struct plain *p = dead;
      dead = p->next;
      free(p);
    }
  }
}
