/*
** counterpart.c: the other end of each workload, always the same program, whatever is measured; it has the
** watch. What is measured is in c.c and in a script for each library.
**
**   counterpart WORKLOAD COUNT [PLACE ...]
**
** It prints where it can be reached, a line, if it is the one that is started first, and at the end what it
** measured: `seconds 0.123`. The watch starts when the first tenth is done, which is for warming up.
*/
#include "base/prefix.h"

#include "net.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void toldport (int port) {
  printf("%d\n", port);
  fflush(stdout);
}

static void measured (double seconds, long count) {
  printf("seconds %.9f operations %ld\n", seconds, count - count / 10);
}

/* ---- streams ---- */

static void pong (int fd, long count) {
  char message[MESSAGE];
  double start = 0;
  for (long i = 0; i < count; i++) {
    if (!receivewhole(fd, message, sizeof(message)))
      die("recv");
    if (i == count / 10)
      start = now();
    sendwhole(fd, message, sizeof(message));
  }
  (void)receivewhole(fd, message, 1); /* the last answer has come, and the connection is closed */
  measured(now() - start, count);
}

static int acceptone (void) {
  int port, server = listenat(&port, SOCK_STREAM);
  toldport(port);
  return accepted(server);
}

static void tcp_pingpong (long count, char **place) {
  (void)place;
  pong(acceptone(), count);
}

static void unix_pingpong (long count, char **place) {
  struct sockaddr_un address;
  const char *dir = getenv("TMPDIR");
  (void)place;
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s/bench-%ld.sock",
           dir != NULL ? dir : "/tmp", (long)getpid());
  int server = (int)checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  checked(bind(server, (const struct sockaddr *)&address, sizeof(address)), "bind");
  checked(listen(server, 1), "listen");
  printf("%s\n", address.sun_path);
  fflush(stdout);
  int fd = accepted(server);
  unlink(address.sun_path);
  pong(fd, count);
}

/* Sends `count` pieces of 64 KiB, of lines if `line` is not 0, until the other side has closed. */
static void flood (long count, size_t line, long operations) {
  static char piece[PIECE];
  double start = 0;
  int fd = acceptone();
  memset(piece, 'x', sizeof(piece));
  for (size_t i = line; line != 0 && i <= sizeof(piece); i += line)
    piece[i - 1] = '\n';
  for (long i = 0; i < count; i++) {
    if (i == count / 10)
      start = now();
    sendwhole(fd, piece, sizeof(piece));
  }
  checked(shutdown(fd, SHUT_WR), "shutdown");
  if (receivewhole(fd, piece, 1))
    die("recv");
  measured(now() - start, operations);
}

static void source (long count, char **place) {
  (void)place;
  flood(count, 0, count);
}

static void lines (long count, char **place) {
  (void)place;
  flood(count / (PIECE / LINE), LINE, count);
}

static void sink (long count, char **place) {
  static char piece[PIECE];
  long total = 0, bytes = count * PIECE;
  double start = 0;
  int fd = acceptone();
  (void)place;
  for (;;) {
    long n = checked(recv(fd, piece, sizeof(piece), 0), "recv");
    if (n == 0)
      break;
    total += n;
    if (start == 0 && total >= bytes / 10)
      start = now();
  }
  if (total != bytes)
    die("recv");
  measured(now() - start, count);
}

/* ---- a client after the other ---- */

static void reset_on_close (int fd) { /* else each would leave its port behind for a minute */
  struct linger linger = {1, 0};
  checked(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), "setsockopt");
}

static void clients (long count, char **place) {
  int port = (int)number(place[0]);
  char message[MESSAGE];
  double start = 0;
  memset(message, 'x', sizeof(message));
  for (long i = 0; i < count; i++) {
    if (i == count / 10)
      start = now();
    int fd = connectto(port);
    sendwhole(fd, message, sizeof(message));
    if (!receivewhole(fd, message, sizeof(message)) || receivewhole(fd, message, 1))
      die("recv");
    reset_on_close(fd);
    close(fd);
  }
  measured(now() - start, count);
}

/* ---- datagrams ---- */

/* A stream beside the datagrams tells whose turn it is: nobody waits on the datagram socket, so that
** none is lost and no datagram wakes anybody. The watch runs in the other side's turns only. */
typedef struct turns {
  int control, udp;
  double seconds;
} turns;

static void udpat (turns *t) {
  int port, udpport, server = listenat(&port, SOCK_STREAM);
  t->udp = listenat(&udpport, SOCK_DGRAM);
  t->seconds = 0;
  printf("%d %d\n", port, udpport);
  fflush(stdout);
  t->control = accepted(server);
}

static void theirturn (turns *t, int warm) {
  char byte;
  if (warm)
    t->seconds -= now();
  sendwhole(t->control, "x", 1);
  if (!receivewhole(t->control, &byte, 1))
    die("recv");
  if (warm)
    t->seconds += now();
}

static void udp_sink (long count, char **place) {
  char data[PIECE];
  turns t;
  udpat(&t);
  (void)place;
  for (long i = 0; i < count; i += BATCH) {
    theirturn(&t, i >= count / 10);
    for (int k = 0; k < BATCH; k++) {
      if (recv(t.udp, data, sizeof(data), MSG_DONTWAIT) != DATAGRAM)
        die("recv: a datagram is lost");
    }
  }
  measured(t.seconds, count);
}

/* The other side says where it is by a first datagram. */
static void udp_source (long count, char **place) {
  char data[DATAGRAM];
  struct sockaddr_in peer;
  socklen_t len = sizeof(peer);
  turns t;
  udpat(&t);
  (void)place;
  checked(recvfrom(t.udp, data, sizeof(data), 0, (struct sockaddr *)&peer, &len), "recvfrom");
  checked(connect(t.udp, (const struct sockaddr *)&peer, len), "connect");
  memset(data, 'x', sizeof(data));
  for (long i = 0; i < count; i += BATCH) {
    for (int k = 0; k < BATCH; k++)
      checked(send(t.udp, data, sizeof(data), 0), "send");
    theirturn(&t, i >= count / 10);
  }
  measured(t.seconds, count);
}

/* ---- many connections at once ---- */

#define FEW 100 /* connections that are opened before their first answers are awaited */

/* Memory that a process has made, in bytes: no program text, nothing of the kernel's. */
static double memory (long pid) {
  char line[256];
  double kib = -1;
  snprintf(line, sizeof(line), "/proc/%ld/status", pid);
  FILE *f = fopen(line, "r");
  if (f == NULL)
    die(line);
  while (fgets(line, sizeof(line), f) != NULL) {
    if (strncmp(line, "RssAnon:", 8) == 0)
      kib = strtod(line + 8, NULL);
  }
  fclose(f);
  return kib * 1024;
}

static double cputime (long pid) {
  clockid_t id;
  struct timespec ts;
  if (clock_getcpuclockid((pid_t)pid, &id) != 0 || clock_gettime(id, &ts) != 0)
    die("clock_getcpuclockid");
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void request (int fd) {
  sendwhole(fd, "0123456789abcdef", MESSAGE);
}

static void response (int fd) {
  char message[MESSAGE];
  if (!receivewhole(fd, message, sizeof(message)) ||
      memcmp(message, "0123456789abcdef", MESSAGE) != 0)
    die("recv");
}

/* Every connection always has one request under way. */
static void requests (int poller, const int *fds, long connections, long count) {
  struct epoll_event events[EVENTS];
  long sent = 0, answered = 0;
  for (; sent < connections && sent < count; sent++)
    request(fds[sent]);
  while (answered < count) {
    long n = checked(epoll_wait(poller, events, EVENTS, -1), "epoll_wait");
    for (long i = 0; i < n; i++) {
      response(events[i].data.fd);
      answered++;
      if (sent < count) {
        request(events[i].data.fd);
        sent++;
      }
    }
  }
}

/* place: the port, the process id of the server, the number of connections */
static void load (long count, char **place) {
  int port = (int)number(place[0]);
  long pid = number(place[1]), connections = number(place[2]), i;
  int *fds = (int *)calloc((size_t)connections, sizeof(int));
  int poller = (int)checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  double few = 0, bytes = 0;
  if (fds == NULL)
    die("calloc");
  for (i = 0; i < connections; i++) {
    struct epoll_event event;
    memset(&event, 0, sizeof(event));
    fds[i] = event.data.fd = connectto(port);
    event.events = EPOLLIN;
    checked(epoll_ctl(poller, EPOLL_CTL_ADD, fds[i], &event), "epoll_ctl");
    request(fds[i]);
    if ((i + 1) % FEW == 0 || i + 1 == connections) {
      for (long k = i / FEW * FEW; k <= i; k++)
        response(fds[k]);
    }
    if (i + 1 == FEW)
      few = memory(pid);
  }
  if (connections > FEW)
    bytes = (memory(pid) - few) / (double)(connections - FEW);
  double cpu = cputime(pid), start = now();
  requests(poller, fds, connections, count);
  printf("seconds %.9f cpu %.9f bytes %.0f operations %ld\n", now() - start, cputime(pid) - cpu,
         bytes, count);
  /* A server has no end of its own; and as this one is going, nothing will be told to it about these. */
  kill((pid_t)pid, SIGKILL);
  for (i = 0; i < connections; i++) {
    reset_on_close(fds[i]);
    close(fds[i]);
  }
  free(fds);
}

static const workload workloads[] = {
  {"tcp_pingpong", tcp_pingpong},
  {"unix_pingpong", unix_pingpong},
  {"recv", source},
  {"recvinto", source},
  {"send", sink},
  {"accept", clients},
  {"udp_send", udp_sink},
  {"udp_recv", udp_source},
  {"udp_recvmmsg", udp_source},
  {"lines", lines},
  {"echo", load},
  {NULL, NULL},
};

int main (int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: counterpart WORKLOAD COUNT [PLACE ...]\n");
    return 2;
  }
  find(workloads, argv[1])->run(number(argv[2]), argv + 3);
  return 0;
}
