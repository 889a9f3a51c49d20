/* SPDX-License-Identifier: MIT */
/* pool.c -- a ring of jobs: put in front, worked on in between, got behind. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#include <apr/pool.h>

struct slot {
	void	*job;
	bool	 done;
};

struct pool {
	void		(*work)(void *);
	pthread_mutex_t	 lock;
	pthread_cond_t	 put, done;
	/* Positions only grow; a slot is its position modulo depth.
	 * got <= begun <= filled <= got + depth. */
	unsigned long	 got, begun, filled;
	unsigned	 depth, nthread;
	bool		 stop;
	struct slot	*slot;
	pthread_t	*thread;
};

static void *
worker(void *arg)
{
	struct pool *p = arg;
	struct slot *s;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->begun == p->filled && !p->stop)
			pthread_cond_wait(&p->put, &p->lock);
		if (p->stop)
			break;
		s = &p->slot[p->begun++ % p->depth];
		pthread_mutex_unlock(&p->lock);
		p->work(s->job);
		pthread_mutex_lock(&p->lock);
		s->done = true;
		pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Signals are for the thread that has the temporary names. */
static int
start(struct pool *p, unsigned jobs, struct err *e)
{
	sigset_t all, old;
	int r = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->nthread < jobs && r == 0)
		if ((r = pthread_create(&p->thread[p->nthread], NULL, worker, p)) == 0)
			p->nthread++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		return 0;
	errno = r;
	return err_sys(e, "thread %u of %u", p->nthread + 1, jobs);
}

struct pool *
pool_new(unsigned jobs, unsigned depth, void (*work)(void *), struct err *e)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p || !(p->slot = calloc(depth, sizeof *p->slot)) ||
	    !(p->thread = calloc(jobs, sizeof *p->thread))) {
		err_set(e, "out of memory");
		if (p)
			free(p->slot);
		free(p);
		return NULL;
	}
	p->work = work;
	p->depth = depth;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->put, NULL);
	pthread_cond_init(&p->done, NULL);
	if (jobs > 1 && start(p, jobs, e) < 0) {
		pool_free(p);
		return NULL;
	}
	return p;
}

/* got and filled are changed by the caller's thread alone. */
bool
pool_full(const struct pool *p)
{
	return p->filled - p->got == p->depth;
}

void
pool_put(struct pool *p, void *job)
{
	struct slot *s = &p->slot[p->filled % p->depth];

	*s = (struct slot){ .job = job };
	if (p->nthread == 0) {
		p->work(job);
		s->done = true;
		p->filled++;
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->filled++;
	pthread_cond_signal(&p->put);
	pthread_mutex_unlock(&p->lock);
}

void *
pool_get(struct pool *p)
{
	struct slot *s = &p->slot[p->got % p->depth];

	if (p->got == p->filled)
		return NULL;
	pthread_mutex_lock(&p->lock);
	while (!s->done)
		pthread_cond_wait(&p->done, &p->lock);
	p->got++;
	pthread_mutex_unlock(&p->lock);
	return s->job;
}

void
pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->put);
	pthread_mutex_unlock(&p->lock);
	while (p->nthread > 0)
		pthread_join(p->thread[--p->nthread], NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->put);
	pthread_mutex_destroy(&p->lock);
	free(p->thread);
	free(p->slot);
	free(p);
}

unsigned
pool_cpus(void)
{
	cpu_set_t set;
	int n;

	if (sched_getaffinity(0, sizeof set, &set) < 0)
		return 1;
	n = CPU_COUNT(&set);
	return n > 1 ? (unsigned)n : 1;
}
