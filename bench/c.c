/*
** c.c: what is measured, in C: each workload as one would write it by hand, with the calls and the buffers
** that the library uses. Everything else is compared with it. The other end is counterpart.c.
**
**   c about                      which workloads there are
**   c WORKLOAD COUNT PLACE ...   does one; a server prints its port instead
*/
#include "base/prefix.h"

#include "net.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <unistd.h>

static void ping (int fd, long count) {
  char message[MESSAGE];
  memset(message, 'x', sizeof(message));
  for (long i = 0; i < count; i++) {
    if (send(fd, message, sizeof(message), MSG_NOSIGNAL) != MESSAGE)
      die("send");
    if (recv(fd, message, sizeof(message), 0) != MESSAGE)
      die("recv");
  }
}

static void tcp_pingpong (long count, char **place) {
  ping(connectto((int)number(place[0])), count);
}

static void unix_pingpong (long count, char **place) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof(address));
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof(address.sun_path), "%s", place[0]);
  int fd = (int)checked(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  checked(connect(fd, (const struct sockaddr *)&address, sizeof(address)), "connect");
  ping(fd, count);
}

static void bulk_recv (long count, char **place) {
  static char piece[PIECE];
  int fd = connectto((int)number(place[0]));
  long total = 0, n;
  while ((n = checked(recv(fd, piece, sizeof(piece), 0), "recv")) > 0)
    total += n;
  if (total != count * PIECE)
    die("recv");
}

static void bulk_send (long count, char **place) {
  static char piece[PIECE];
  int fd = connectto((int)number(place[0]));
  memset(piece, 'x', sizeof(piece));
  for (long i = 0; i < count; i++)
    sendwhole(fd, piece, sizeof(piece));
}

static void serve (long count, char **place) {
  int port, server = listenat(&port, SOCK_STREAM);
  char message[MESSAGE];
  (void)place;
  printf("%d\n", port);
  fflush(stdout);
  for (long i = 0; i < count; i++) {
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    int fd = (int)checked(accept4(server, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC), "accept4");
    if (recv(fd, message, sizeof(message), 0) != MESSAGE)
      die("recv");
    if (send(fd, message, sizeof(message), MSG_NOSIGNAL) != MESSAGE)
      die("send");
    close(fd);
  }
}

/* ---- datagrams: a batch, then it is the other side's turn ---- */

static void myturn (int control) {
  char byte;
  if (recv(control, &byte, 1, 0) != 1)
    die("recv");
}

static void yourturn (int control) {
  if (send(control, "x", 1, MSG_NOSIGNAL) != 1)
    die("send");
}

static struct sockaddr_in udpaddress (char **place) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)number(place[1]));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void udp_send (long count, char **place) {
  int port, control = connectto((int)number(place[0])), udp = listenat(&port, SOCK_DGRAM);
  struct sockaddr_in to = udpaddress(place);
  char data[DATAGRAM];
  memset(data, 'x', sizeof(data));
  for (long i = 0; i < count; i += BATCH) {
    myturn(control);
    for (int k = 0; k < BATCH; k++) {
      if (sendto(udp, data, sizeof(data), MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof(to)) !=
          DATAGRAM)
        die("sendto");
    }
    yourturn(control);
  }
}

/* Connects, and says where it is by a datagram. */
static int udpreceiver (char **place, int *control) {
  int port, udp = listenat(&port, SOCK_DGRAM);
  struct sockaddr_in to = udpaddress(place);
  *control = connectto((int)number(place[0]));
  checked(sendto(udp, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)), "sendto");
  return udp;
}

static void udp_recv (long count, char **place) {
  int control, udp = udpreceiver(place, &control);
  static char data[PIECE];
  for (long i = 0; i < count; i += BATCH) {
    myturn(control);
    for (int k = 0; k < BATCH; k++) {
      struct sockaddr_storage from;
      socklen_t len = sizeof(from);
      if (recvfrom(udp, data, sizeof(data), 0, (struct sockaddr *)&from, &len) != DATAGRAM)
        die("recvfrom");
    }
    yourturn(control);
  }
}

static void udp_recvmmsg (long count, char **place) {
  int control, udp = udpreceiver(place, &control);
  static char data[VECTOR][2048];
  static struct sockaddr_storage from[VECTOR];
  struct iovec pieces[VECTOR];
  struct mmsghdr messages[VECTOR];
  memset(messages, 0, sizeof(messages));
  for (int k = 0; k < VECTOR; k++) {
    pieces[k].iov_base = data[k];
    pieces[k].iov_len = sizeof(data[k]);
    messages[k].msg_hdr.msg_iov = &pieces[k];
    messages[k].msg_hdr.msg_iovlen = 1;
    messages[k].msg_hdr.msg_name = &from[k];
  }
  for (long i = 0; i < count; i += BATCH) {
    myturn(control);
    for (long got = 0; got < BATCH;) {
      for (int k = 0; k < VECTOR; k++)
        messages[k].msg_hdr.msg_namelen = sizeof(from[k]);
      got += checked(recvmmsg(udp, messages, VECTOR, MSG_WAITFORONE, NULL), "recvmmsg");
    }
    yourturn(control);
  }
}

static void lines (long count, char **place) {
  static char buffer[BUFFERED];
  FILE *f = fdopen(connectto((int)number(place[0])), "r");
  char *line = NULL;
  size_t size = 0;
  long n = 0;
  if (f == NULL || setvbuf(f, buffer, _IOFBF, sizeof(buffer)) != 0)
    die("fdopen");
  while (getline(&line, &size, f) == LINE)
    n++;
  if (n != count)
    die("getline");
}

/* ---- many connections ---- */

static void watch (int poller, int fd) {
  struct epoll_event event;
  memset(&event, 0, sizeof(event));
  event.events = EPOLLIN;
  event.data.fd = fd;
  checked(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void answer (int fd, char *data, size_t size) {
  long n = recv(fd, data, size, 0);
  if (n > 0)
    sendwhole(fd, data, (size_t)n);
  else
    close(fd);
}

static void echo (long count, char **place) {
  static char data[PIECE];
  struct epoll_event events[EVENTS];
  int port, server = listenat(&port, SOCK_STREAM);
  int poller = (int)checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  (void)count;
  (void)place;
  watch(poller, server);
  printf("%d\n", port);
  fflush(stdout);
  for (;;) {
    long n = checked(epoll_wait(poller, events, EVENTS, -1), "epoll_wait");
    for (long i = 0; i < n; i++) {
      if (events[i].data.fd == server)
        watch(poller, (int)checked(accept4(server, NULL, NULL, SOCK_CLOEXEC), "accept4"));
      else
        answer(events[i].data.fd, data, sizeof(data));
    }
  }
}

static const workload workloads[] = {
  {"tcp_pingpong", tcp_pingpong},
  {"unix_pingpong", unix_pingpong},
  {"recv", bulk_recv},
  {"recvinto", bulk_recv},
  {"send", bulk_send},
  {"accept", serve},
  {"udp_send", udp_send},
  {"udp_recv", udp_recv},
  {"udp_recvmmsg", udp_recvmmsg},
  {"lines", lines},
  {"echo", echo},
  {NULL, NULL},
};

int main (int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "about") == 0) {
    printf("C\n");
    for (const workload *w = workloads; w->name != NULL; w++)
      printf("%s\n", w->name);
    return 0;
  }
  if (argc < 3) {
    fprintf(stderr, "usage: c WORKLOAD COUNT [PLACE ...]\n");
    return 2;
  }
  find(workloads, argv[1])->run(number(argv[2]), argv + 3);
  return 0;
}
