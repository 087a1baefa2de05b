/*
** thread.c: helper threads, which step operations that block in the C library or the kernel, where there is no
** descriptor to wait for: look-ups, and the close of a socket with SO_LINGER. Who waits for such a step, and how long, is the driver's business (wait.c).
**
** A *job* is one operation on its way: a userdata, and a request that it shares with a thread. The request
** has a copy of the operation, in malloc'ed memory. No thread touches a Lua state: a step reads and writes
** its struct, no more. What a request is, its state tells:
**   queued    no thread has it yet: who gives it up takes it off the queue
**   running   a thread has it: who gives it up marks it, and the thread frees it when the step returns
**   ended     the step has returned, and its descriptor is readable
** The descriptor is opened and closed on the job's side only, and written to under the pool's lock, so that
** no thread ever touches one that has been given away.
**
** A Lua state has its own *pool* of threads, made at the first job: no two states meet. It is malloc'ed and
** counts its users, which are the state, the jobs and the threads: the last one out frees it. So lua_close
** waits for nobody: idle threads end then, and one that is busy ends when its step returns. Idle threads
** end after a while by themselves, as a process of one thread may do more (such as enter a namespace).
**
** In a child that has been forked there are no threads, and the lock may be locked for ever: there the
** parent's pool is thrown away as it is, and its jobs do not look at it.
*/
#include "base/prefix.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/open.h"
#include "op/attempt.h"
#include "op/thread.h"

#define JOB "bsdsocket.job" /* metatable of jobs */

/* Threads of a pool; what is more waits in the queue. A resolver whose servers are silent holds a thread for
** ten seconds or so, whether or not anybody still waits; so some more than there are processors. */
#define MOST 8

/* Look-ups of glibc take 18 KiB, its modules may take more; musl gives 128 KiB to any thread. */
#define STACK ((size_t)256 * 1024)

#define IDLESECONDS 2

enum state { QUEUED, RUNNING, ENDED };

typedef struct request {
  struct request *next, **link; /* in the queue */
  bs_op *op;
  int fd, tell; /* readable once it has ended; where to write then: perhaps the same */
  enum state state;
  int abandoned; /* while running, and with BS_LASTS while queued */
} request;

struct bs_pool {
  pthread_mutex_t lock;
  pthread_cond_t work; /* there is a request, or the state has been closed */
  request *first, **last;
  pid_t pid;
  int users;
  int threads, idle, queued;
  int lasting; /* of all that have not ended, those with BS_LASTS: each has a thread beyond MOST */
  int closed;
};

struct bs_job {
  pid_t pid; /* of the process that began it */
  bs_pool *pool;
  request *request; /* NULL: it is over */
};

/*
** {======================================================
** A descriptor that becomes readable: an eventfd where there is one, else a pipe.
** =======================================================
*/
#if defined(__has_include)
#if __has_include(<sys/eventfd.h>)
#include <sys/eventfd.h>
#endif
#endif

#if defined(EFD_CLOEXEC)

static int opentell (request *r) {
  r->fd = r->tell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return r->fd >= 0;
}

#else

static int opentell (request *r) {
  int fds[2];
  if (pipe(fds) != 0)
    return 0;
  for (int i = 0; i < 2; i++) {
    (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
    (void)fcntl(fds[i], F_SETFL, O_NONBLOCK);
  }
  r->fd = fds[0];
  r->tell = fds[1];
  return 1;
}

#endif

static void tell (const request *r) {
  uint64_t one = 1; /* an eventfd takes eight bytes */
  ssize_t n = write(r->tell, &one, sizeof(one));
  (void)n; /* it is new, and there is room */
}

static void closetell (request *r) {
  close(r->fd);
  if (r->tell != r->fd)
    close(r->tell);
}
/* }====================================================== */

/*
** {======================================================
** A thread that outlives lua_close must not return into code that is gone. Where the object was not linked
** with -z nodelete, it asks to be kept; as a part of the program it is kept anyway, and this fails.
** =======================================================
*/
#if defined(RTLD_NODELETE) && defined(RTLD_NOLOAD)

static void staymapped (void) {
  static const char here = 0;
  Dl_info info;
  if (dladdr(&here, &info) != 0 && info.dli_fname != NULL) {
    void *self = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
    if (self != NULL)
      dlclose(self); /* the reference; what was asked for stays */
  }
}

#else

static void staymapped (void) {
}

#endif
/* }====================================================== */

/* ---- requests ---- */

static void freerequest (request *r) {
  free(r->op);
  free(r);
}

/* Nobody will take what its step left. */
static void droprequest (request *r) {
  if (r->op->kind->drop != NULL)
    r->op->kind->drop(r->op);
  freerequest(r);
}

/* NULL: neither memory nor descriptors, errno says which. */
static request *newrequest (const bs_op *op) {
  request *r = (request *)malloc(sizeof(request));
  if (r == NULL)
    return NULL;
  r->op = (bs_op *)malloc(op->kind->size);
  if (r->op == NULL || !opentell(r)) {
    int err = errno;
    freerequest(r);
    errno = err;
    return NULL;
  }
  memcpy(r->op, op, op->kind->size);
  r->abandoned = 0;
  return r;
}

/* Such a request stands before all others. */
static int lasts (const request *r) {
  return bs_lasts(r->op);
}

static void enqueue (bs_pool *p, request *r) {
  request **at = lasts(r) ? &p->first : p->last;
  r->state = QUEUED;
  r->next = *at;
  r->link = at;
  *at = r;
  if (r->next != NULL)
    r->next->link = &r->next;
  else
    p->last = &r->next;
  p->queued++;
  p->lasting += lasts(r);
}

static void unqueue (bs_pool *p, request *r) {
  bs_assert(r->state == QUEUED && *r->link == r && p->queued > 0);
  *r->link = r->next;
  if (r->next != NULL)
    r->next->link = r->link;
  else
    p->last = r->link;
  p->queued--;
}

/* ---- the pool; it is locked where these begin ---- */

/* One user less; unlocks it. */
static void leave (bs_pool *p) {
  bs_assert(p->users > 0);
  int last = --p->users == 0;
  pthread_mutex_unlock(&p->lock);
  if (last) {
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p);
  }
}

/* Rests until there may be work. False: there was none for long, or there will be none. */
static int idle (bs_pool *p) {
  struct timespec until;
  if (p->closed)
    return 0;
  clock_gettime(CLOCK_REALTIME, &until); /* not every system can wait by another clock */
  until.tv_sec += IDLESECONDS;
  p->idle++;
  int err = pthread_cond_timedwait(&p->work, &p->lock, &until);
  p->idle--;
  return err == 0 || p->first != NULL;
}

static void serve (bs_pool *p, request *r) {
  unqueue(p, r);
  r->state = RUNNING;
  pthread_mutex_unlock(&p->lock);
  while (r->op->kind->step(r->op, BS_FOREVER) == BS_AGAIN) {
  }
  pthread_mutex_lock(&p->lock);
  p->lasting -= lasts(r);
  if (r->abandoned)
    droprequest(r);
  else {
    r->state = ENDED;
    tell(r);
  }
}

static void *run (void *pool) {
  bs_pool *p = (bs_pool *)pool;
  pthread_mutex_lock(&p->lock);
  while (p->first != NULL || idle(p)) {
    if (p->first != NULL)
      serve(p, p->first);
  }
  p->threads--;
  leave(p);
  return NULL;
}

/* 0 or an errno. A signal is for the threads of the program: here all are blocked. */
static int addthread (bs_pool *p) {
  pthread_t thread;
  pthread_attr_t attr;
  sigset_t all, before;
  int err = pthread_attr_init(&attr);
  if (err != 0)
    return err;
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  (void)pthread_attr_setstacksize(&attr, STACK); /* else it has the usual one */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  err = pthread_create(&thread, &attr, run, p);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  if (err == 0) {
    p->users++;
    p->threads++;
  }
  return err;
}

/* ---- the pool of a state ---- */

static bs_pool *newpool (void) {
  bs_pool *p = (bs_pool *)calloc(1, sizeof(bs_pool));
  if (p == NULL)
    return NULL;
  int err = pthread_mutex_init(&p->lock, NULL);
  if (err == 0 && (err = pthread_cond_init(&p->work, NULL)) != 0)
    pthread_mutex_destroy(&p->lock);
  if (err != 0) {
    free(p);
    errno = err;
    return NULL;
  }
  p->last = &p->first;
  p->pid = getpid();
  p->users = 1;
  staymapped();
  return p;
}

/* True in a child that was forked since `pid` was noted. */
static int forked (pid_t pid) {
  return pid != getpid();
}

/* The state's pool; NULL: memory is out, or the state is being closed. */
static bs_pool *getpool (bs_state *st) {
  if (st->pool != NULL && forked(st->pool->pid)) {
    free(st->pool);
    st->pool = NULL;
  }
  if (st->pool == NULL) {
    errno = ECANCELED;
    st->pool = st->poolclosed ? NULL : newpool();
  }
  return st->pool;
}

void bs_closepool (bs_state *st) {
  bs_pool *p = st->pool;
  st->pool = NULL;
  st->poolclosed = 1; /* finalizers of what is older than the library may still call it */
  if (p != NULL && forked(p->pid))
    free(p);
  else if (p != NULL) {
    pthread_mutex_lock(&p->lock);
    p->closed = 1;
    pthread_cond_broadcast(&p->work);
    leave(p);
  }
}

/* ---- jobs ---- */

/* True if a thread will step `r`. */
static int submit (bs_pool *p, request *r) {
  int err = 0;
  pthread_mutex_lock(&p->lock);
  enqueue(p, r);
  if (p->queued > p->idle && p->threads < MOST + p->lasting)
    err = addthread(p);
  if (err != 0 && (p->threads == 0 || lasts(r))) {
    unqueue(p, r);
    p->lasting -= lasts(r);
    pthread_mutex_unlock(&p->lock);
    errno = err;
    return 0;
  }
  p->users++;
  if (p->idle > 0)
    pthread_cond_signal(&p->work);
  pthread_mutex_unlock(&p->lock);
  return 1;
}

int bs_beginjob (bs_job *job, const bs_op *op) {
  bs_pool *p = getpool(op->st);
  request *r = p != NULL ? newrequest(op) : NULL;
  if (r == NULL)
    return 0;
  if (!submit(p, r)) {
    int err = errno;
    closetell(r);
    freerequest(r);
    errno = err;
    return 0;
  }
  job->pid = p->pid;
  job->pool = p;
  job->request = r;
  return 1;
}

bs_job *bs_newjob (lua_State *L) {
  bs_job *job = (bs_job *)lua_newuserdatauv(L, sizeof(bs_job), 0);
  job->request = NULL;
  luaL_setmetatable(L, JOB);
  return job;
}

int bs_leavejob (const bs_op *op) {
  bs_job job;
  if (!bs_beginjob(&job, op))
    return 0;
  bs_abandon(&job);
  return 1;
}

bs_job *bs_startjob (lua_State *L, const bs_op *op) {
  bs_job *job = bs_newjob(L);
  if (bs_beginjob(job, op) || (bs_collect(L, errno) && bs_beginjob(job, op)))
    return job;
  lua_pop(L, 1);
  return NULL;
}

int bs_jobfd (const bs_job *job) {
  return job->request != NULL ? job->request->fd : -1;
}

int bs_endjob (bs_job *job, bs_op *op) {
  request *r = job->request;
  if (r == NULL)
    return 0;
  if (forked(job->pid)) { /* the parent's threads write to the same descriptor */
    bs_abandon(job);
    op->error = ECANCELED;
    return 1;
  }
  bs_pool *p = job->pool;
  pthread_mutex_lock(&p->lock);
  if (r->state != ENDED) {
    pthread_mutex_unlock(&p->lock);
    return 0;
  }
  leave(p);
  job->request = NULL;
  memcpy(op, r->op, op->kind->size);
  closetell(r);
  freerequest(r);
  return 1;
}

void bs_abandon (bs_job *job) {
  request *r = job->request;
  if (r == NULL)
    return;
  job->request = NULL;
  if (forked(job->pid)) {
    closetell(r);
    freerequest(r); /* a thread was perhaps at work on it: it is not fit for drop */
    return;
  }
  bs_pool *p = job->pool;
  pthread_mutex_lock(&p->lock);
  closetell(r);
  if (r->state == RUNNING || (r->state == QUEUED && lasts(r)))
    r->abandoned = 1;
  else {
    if (r->state == QUEUED)
      unqueue(p, r);
    droprequest(r);
  }
  leave(p);
}

static int job_gc (lua_State *L) {
  bs_abandon((bs_job *)lua_touserdata(L, 1));
  return 0;
}

static const luaL_Reg metamethods[] = {
  {"__gc", job_gc},
  {"__close", job_gc},
  {NULL, NULL},
};

void bs_openthread (lua_State *L) {
  luaL_newmetatable(L, JOB);
  luaL_setfuncs(L, metamethods, 0);
  lua_pop(L, 1);
}
