/*
** net.h: what both C programs of the benchmark need: sockets on 127.0.0.1, whole messages, the clock. The
** sizes are those of every workload in every language (bench/subject.lua, bench/python.py).
*/
#ifndef bench_net_h
#define bench_net_h

#include <stddef.h>
#include <sys/socket.h>

#define MESSAGE 16  /* bytes of a request and of its answer */
#define PIECE 65536 /* bytes of one bulk send or receive */
#define DATAGRAM 64 /* bytes */
#define BATCH 128   /* datagrams between two turns: a receive buffer of the usual size holds them */
#define LINE 64     /* bytes, the newline with them */
#define VECTOR 64   /* datagrams of one recvmmsg */
#define EVENTS 256  /* of one epoll_wait, as csrc/base/engine.c has it */
#define BUFFERED 65536 /* bytes that are read at once where lines are wanted */

typedef struct workload {
  const char *name;
  void (*run)(long count, char **place);
} workload;

/* Ends the program, with the name of the call and errno's text. */
void die(const char *call) __attribute__((noreturn));

/* `result`, unless it is negative. */
long checked(long result, const char *call);

/* A number among the arguments. */
long number(const char *text);

/* The row of that name. */
const workload *find(const workload *list, const char *name);

double now(void);

int connectto(int port);
int listenat(int *port, int type);
int accepted(int server);

void sendwhole(int fd, const char *data, size_t len);

/* 0 at the end of the stream. */
int receivewhole(int fd, char *data, size_t len);

#endif
