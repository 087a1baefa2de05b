/*
** net.c: what both C programs of the benchmark need. No workload is here.
*/
#include "base/prefix.h"

#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void die (const char *call) {
  fprintf(stderr, "%s: %s\n", call, errno != 0 ? strerror(errno) : "something else came");
  exit(1);
}

long checked (long result, const char *call) {
  if (result < 0)
    die(call);
  return result;
}

long number (const char *text) {
  char *end;
  long n = text != NULL ? strtol(text, &end, 10) : -1;
  if (n < 0 || *end != '\0') {
    fprintf(stderr, "not a number: %s\n", text != NULL ? text : "nothing");
    exit(2);
  }
  return n;
}

const workload *find (const workload *list, const char *name) {
  for (; list->name != NULL; list++) {
    if (strcmp(list->name, name) == 0)
      return list;
  }
  fprintf(stderr, "no workload has the name %s\n", name);
  exit(2);
}

double now (void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct sockaddr_in loopback (int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof(address));
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int connectto (int port) {
  struct sockaddr_in address = loopback(port);
  int fd = (int)checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  checked(connect(fd, (const struct sockaddr *)&address, sizeof(address)), "connect");
  return fd;
}

/* On a port of the system's choice. */
int listenat (int *port, int type) {
  struct sockaddr_in address = loopback(0);
  socklen_t len = sizeof(address);
  int fd = (int)checked(socket(AF_INET, type | SOCK_CLOEXEC, 0), "socket");
  checked(bind(fd, (const struct sockaddr *)&address, len), "bind");
  if (type == SOCK_STREAM)
    checked(listen(fd, SOMAXCONN), "listen");
  checked(getsockname(fd, (struct sockaddr *)&address, &len), "getsockname");
  *port = ntohs(address.sin_port);
  return fd;
}

int accepted (int server) {
  int fd = (int)checked(accept4(server, NULL, NULL, SOCK_CLOEXEC), "accept4");
  close(server);
  return fd;
}

void sendwhole (int fd, const char *data, size_t len) {
  while (len > 0) {
    size_t n = (size_t)checked(send(fd, data, len, MSG_NOSIGNAL), "send");
    data += n;
    len -= n;
  }
}

int receivewhole (int fd, char *data, size_t len) {
  while (len > 0) {
    size_t n = (size_t)checked(recv(fd, data, len, 0), "recv");
    if (n == 0)
      return 0;
    data += n;
    len -= n;
  }
  return 1;
}
