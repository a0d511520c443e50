/* Requests and answers over cleartext HTTP: one thread, epoll, C so that it is never the bottleneck.
 *
 *   http serve PORT...                                200 and 1 KiB for every GET of HTTP/1.1 and of HTTP/2 with prior
 *                                                     knowledge; a CONNECT is accepted, and what follows it served
 *   http h1|h2 HOST PORT CLIENTS SECS AUTHORITY PATH  a connection for each client, one request at a time on each
 *
 * CONNECT and SOURCE in the environment as for load.c. A client prints one JSON line; anything but 200 with 1 KiB ends
 * it with status 1 and a line on stderr. Header blocks are read only as far as tells success from failure.
 */
#include "load.h"

enum { BODY = 1024, INPUT = 64 * 1024, PREFACE = 24, FRAME_HEAD = 9, MAX_FRAME = 16384, WAITING = 1024 };
enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { ACK = 1, END_STREAM = 1, END_HEADERS = 4, PADDED = 8, PRIORITISED = 32 };
enum { INITIAL_WINDOW = 65535, MORE_WINDOW = 1 << 30 };
static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static char body[BODY];

struct conn {
  int fd, listens, http2, blocked;
  char in[INPUT];
  size_t in_size;
  char *out;
  size_t out_from, out_size, out_room;
  /* server: answers that wait for room in the peer's window */
  int64_t window;
  uint32_t waiting[WAITING], waiting_count;
  /* client: the request under way */
  uint32_t stream, received, unacknowledged;
  uint64_t started;
};

static _Noreturn void fail(const char *what) {
  fprintf(stderr, "http: %s\n", what);
  exit(1);
}
static struct conn *add(int ep, int fd) {
  struct conn *c = calloc(1, sizeof *c);
  if (!c) die("calloc");
  c->fd = fd;
  c->window = INITIAL_WINDOW;
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
  return c;
}
static void hang_up(struct conn *c) {
  close(c->fd);
  free(c->out);
  free(c);
}

/* ---- input and output; -1: the connection is dead */
static void put(struct conn *c, const void *data, size_t n) {
  if (c->out_size + n > c->out_room) {
    c->out_room = (c->out_size + n) * 2;
    if (!(c->out = realloc(c->out, c->out_room))) die("realloc");
  }
  memcpy(c->out + c->out_size, data, n);
  c->out_size += n;
}
static int flush_out(int ep, struct conn *c) {
  if (c->out_size > 0) {
    ssize_t w = write(c->fd, c->out + c->out_from, c->out_size - c->out_from);
    if (w < 0 && errno != EAGAIN) return -1;
    if (w > 0) c->out_from += (size_t)w;
    if (c->out_from == c->out_size) c->out_from = c->out_size = 0;
  }
  int blocked = c->out_size > 0;
  if (blocked == c->blocked) return 0;
  c->blocked = blocked;
  struct epoll_event e = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
  if (epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e)) die("epoll_ctl");
  return 0;
}
static int fill_in(struct conn *c) {
  if (c->in_size == INPUT) fail("a message larger than the buffer");
  ssize_t r = read(c->fd, c->in + c->in_size, INPUT - c->in_size);
  if (r < 0) return errno == EAGAIN ? 0 : -1;
  if (r == 0) return -1;
  c->in_size += (size_t)r;
  return 0;
}
static void take(struct conn *c, size_t n) {
  c->in_size -= n;
  memmove(c->in, c->in + n, c->in_size);
}

/* ---- HTTP/2 frames */
static uint32_t number(const char *at) {
  const unsigned char *b = (const unsigned char *)at;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static void put_frame(struct conn *c, int type, int flags, uint32_t stream, const void *payload, size_t n) {
  unsigned char head[FRAME_HEAD] = {n >> 16, n >> 8, n, type, flags, stream >> 24, stream >> 16, stream >> 8, stream};
  put(c, head, sizeof head);
  put(c, payload, n);
}
static void put_window(struct conn *c, uint32_t more) {
  unsigned char text[4] = {more >> 24, more >> 16, more >> 8, more};
  put_frame(c, WINDOW_UPDATE, 0, 0, text, sizeof text);
}
struct frame {
  size_t size; /* head included */
  int type, flags;
  uint32_t stream, length;
  const char *payload;
};
/* 0: not all of it is here */
static int frame_at(const struct conn *c, size_t from, struct frame *f) {
  if (c->in_size - from < FRAME_HEAD) return 0;
  const char *at = c->in + from;
  *f = (struct frame){.type = at[3], .flags = (unsigned char)at[4], .stream = number(at + 5) & 0x7fffffff};
  f->length = number(at) >> 8;
  f->payload = at + FRAME_HEAD;
  f->size = FRAME_HEAD + f->length;
  if (f->length > MAX_FRAME) fail("a frame larger than allowed");
  return c->in_size - from >= f->size;
}
/* What both ends do with frames that are not about a request. */
static void housekeeping(struct conn *c, const struct frame *f) {
  if (f->type == SETTINGS && !(f->flags & ACK)) put_frame(c, SETTINGS, ACK, 0, "", 0);
  if (f->type == PING && !(f->flags & ACK)) put_frame(c, PING, ACK, 0, f->payload, f->length);
}

/* ---- server */
static void answer_waiting(struct conn *c) {
  /* :status 200, content-length 1024, content-type text/plain; nothing enters the table of the peer. */
  static const char block[] = "\x88\x0f\x0d\x04" "1024" "\x0f\x10\x0a" "text/plain";
  uint32_t done = 0;
  for (; done < c->waiting_count && c->window >= BODY; done++) {
    put_frame(c, HEADERS, END_HEADERS, c->waiting[done], block, sizeof block - 1);
    put_frame(c, DATA, END_STREAM, c->waiting[done], body, BODY);
    c->window -= BODY;
  }
  c->waiting_count -= done;
  memmove(c->waiting, c->waiting + done, c->waiting_count * sizeof *c->waiting);
}
static int serve_http2(struct conn *c) {
  struct frame f;
  size_t from = 0;
  for (; frame_at(c, from, &f); from += f.size) {
    housekeeping(c, &f);
    if (f.type == WINDOW_UPDATE && f.stream == 0) c->window += number(f.payload) & 0x7fffffff;
    if ((f.type == HEADERS || f.type == DATA) && f.flags & END_STREAM) {
      if (c->waiting_count == WAITING) return -1;
      c->waiting[c->waiting_count++] = f.stream;
    }
  }
  take(c, from);
  answer_waiting(c);
  return 0;
}
static int serve_input(struct conn *c) {
  static const char connected[] = "HTTP/1.1 200 OK\r\n\r\n";
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\nContent-Type: text/plain\r\n\r\n";
  while (!c->http2) {
    const char *end = memmem(c->in, c->in_size, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t size = (size_t)(end - c->in) + 4;
    if (!memcmp(c->in, "PRI ", 4)) {
      if (c->in_size < PREFACE) return 0;
      size = PREFACE;
      c->http2 = 1;
      put_frame(c, SETTINGS, 0, 0, "", 0);
      put_window(c, MORE_WINDOW);
    } else if (!memcmp(c->in, "CONNECT ", 8)) put(c, connected, sizeof connected - 1);
    else if (!memcmp(c->in, "GET ", 4)) {
      put(c, head, sizeof head - 1);
      put(c, body, BODY);
    } else return -1;
    take(c, size);
  }
  return serve_http2(c);
}
_Noreturn static void serve(int count, char **ports) {
  int ep = epoll_create1(0), one = 1;
  for (int i = 0; i < count; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(ports[i]))};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (void *)&a, sizeof a) || listen(fd, 4096)) die("listen");
    add(ep, fd)->listens = 1;
  }
  puts("READY");
  fflush(stdout);
  struct epoll_event events[EVENTS];
  for (;;) {
    int n = epoll_wait(ep, events, EVENTS, -1);
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (c->listens) {
        for (int fd; (fd = accept4(c->fd, 0, 0, SOCK_NONBLOCK)) >= 0;) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          add(ep, fd);
        }
      } else if (fill_in(c) || serve_input(c) || flush_out(ep, c)) hang_up(c);
    }
  }
}

/* ---- client */
static char request[2048]; /* of HTTP/1.1 whole, of HTTP/2 its header block */
static size_t request_size;
static void header(int name, const char *value) {
  size_t n = strlen(value);
  if (n > 126 || request_size + n + 3 > sizeof request) fail("authority or path too long");
  /* A literal that nobody remembers, its name from the static table. */
  if (name < 15) request[request_size++] = (char)name;
  else request[request_size++] = 15, request[request_size++] = (char)(name - 15);
  request[request_size++] = (char)n;
  memcpy(request + request_size, value, n);
  request_size += n;
}
static void make_request(int http2, const char *authority, const char *path) {
  if (!http2) {
    static const char form[] = "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: ambit-bench\r\nAccept: */*\r\n\r\n";
    request_size = (size_t)snprintf(request, sizeof request, form, path, authority);
    if (request_size >= sizeof request) fail("authority or path too long");
    return;
  }
  request[request_size++] = (char)0x82; /* :method GET */
  request[request_size++] = (char)0x86; /* :scheme http */
  header(1, authority);
  header(4, path);
  header(58, "ambit-bench");
  header(19, "*/*");
}
static void ask(struct conn *c, uint64_t time) {
  c->started = time;
  c->received = 0;
  if (!c->http2) return put(c, request, request_size);
  c->stream = c->stream ? c->stream + 2 : 1;
  put_frame(c, HEADERS, END_HEADERS | END_STREAM, c->stream, request, request_size);
}
/* 1: the answer is complete */
static int answered_http1(struct conn *c) {
  const char *end = memmem(c->in, c->in_size, "\r\n\r\n", 4);
  if (!end) return 0;
  size_t head = (size_t)(end - c->in) + 4;
  if (c->in_size < head + BODY) return 0;
  if (c->in_size > head + BODY) fail("more than 1 KiB was answered");
  c->in[head - 1] = 0;
  if (memcmp(c->in, "HTTP/1.1 200", 12)) fail(c->in);
  if (!strcasestr(c->in, "\ncontent-length: 1024")) fail("not 1 KiB was answered");
  take(c, c->in_size);
  return 1;
}
static void check_status(const struct frame *f) {
  const unsigned char *at = (const unsigned char *)f->payload, *end = at + f->length;
  if (f->flags & PADDED) at++;
  if (f->flags & PRIORITISED) at += 5;
  while (at < end && (*at & 0xe0) == 0x20) at++; /* changes of the table's size */
  if (at >= end || *at != 0x88) fail("the status is not 200");
}
static int answered_http2(struct conn *c) {
  struct frame f;
  size_t from = 0;
  int complete = 0;
  for (; frame_at(c, from, &f); from += f.size) {
    housekeeping(c, &f);
    if (f.type == GOAWAY || f.type == RST_STREAM) fail("the peer ended an HTTP/2 stream or connection");
    if (f.type == HEADERS && f.stream == c->stream && c->received == 0) check_status(&f);
    if (f.type == DATA) c->received += f.length, c->unacknowledged += f.length;
    if ((f.type == HEADERS || f.type == DATA) && f.flags & END_STREAM && f.stream == c->stream) complete = 1;
  }
  take(c, from);
  if (complete && c->received != BODY) fail("not 1 KiB was answered");
  if (c->unacknowledged > MORE_WINDOW / 4) put_window(c, c->unacknowledged), c->unacknowledged = 0;
  return complete;
}
static void begin(struct conn *c) {
  if (!c->http2) return;
  put(c, preface, PREFACE);
  put_frame(c, SETTINGS, 0, 0, "\0\2\0\0\0\0", 6); /* no push */
  put_window(c, MORE_WINDOW);
}
static int closed_loop(int http2, int count, double secs) {
  int ep = epoll_create1(0);
  struct conn **conns = calloc((size_t)count, sizeof *conns);
  for (int i = 0; i < count; i++) {
    int fd = dial_tunnel();
    non_blocking(fd);
    conns[i] = add(ep, fd);
    conns[i]->http2 = http2;
    begin(conns[i]);
  }
  uint64_t start = now_ns(), warm = start + WARM_UP_MS * 1000000ull, end = warm + (uint64_t)(secs * 1e9), total = 0;
  for (int i = 0; i < count; i++) {
    ask(conns[i], now_ns());
    if (flush_out(ep, conns[i])) die("write");
  }
  struct epoll_event events[EVENTS];
  uint64_t time = start;
  while (time < end) {
    int n = epoll_wait(ep, events, EVENTS, STALL_MS);
    if (n == 0) fail("no answer in 10 s");
    for (int i = 0; i < n; i++) {
      struct conn *c = events[i].data.ptr;
      if (fill_in(c)) fail("a connection was closed");
      if (http2 ? answered_http2(c) : answered_http1(c)) {
        time = now_ns();
        total++;
        if (c->started >= warm) record(time - c->started);
        ask(c, time);
      }
      if (flush_out(ep, c)) die("write");
    }
  }
  /* `total` is what CPU times of others are divided by: they too count from the first request. */
  printf("{\"rate\":%.1f,\"count\":%lu,\"total\":%lu,\"seconds\":%.3f,\"p50\":%.1f,\"p99\":%.1f,\"cpu\":%.3f}\n",
         (double)samples / ((double)(time - warm) / 1e9), (unsigned long)samples, (unsigned long)total,
         (double)(time - start) / 1e9, quantile_us(.5), quantile_us(.99), own_cpu());
  return 0;
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  const char *mode = argc > 1 ? argv[1] : "";
  if (argc > 2 && !strcmp(mode, "serve")) serve(argc - 2, argv + 2);
  int http2 = !strcmp(mode, "h2");
  if (argc != 8 || (!http2 && strcmp(mode, "h1"))) {
    fputs("usage: http serve PORT... | h1|h2 HOST PORT CLIENTS SECS AUTHORITY PATH\n", stderr);
    return 2;
  }
  read_target(argv[2], argv[3]);
  make_request(http2, argv[6], argv[7]);
  return closed_loop(http2, atoi(argv[4]), atof(argv[5]));
}
