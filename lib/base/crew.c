/* SPDX-License-Identifier: MIT */
/* crew.c -- one loop at a time, over many threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include <apr/crew.h>

/* How often an idle thread looks before it sleeps: work comes in bursts. */
enum { LOOKS = 4000 };

struct worker {
	struct crew	*crew;
	pthread_t	 thread;
	unsigned	 who;
};

struct crew {
	unsigned	 jobs;
	struct worker	*worker;	/* jobs - 1 */
	pthread_mutex_t	 lock;
	pthread_cond_t	 begin, end;
	atomic_uint	 round;
	atomic_uint	 busy;		/* workers not yet done with this round */
	atomic_size_t	 next;
	size_t		 n, step;
	void		(*work)(void *, size_t, size_t, unsigned);
	void		*arg;
	bool		 quit;
};

static void
share(struct crew *c, unsigned who)
{
	size_t at;

	while ((at = atomic_fetch_add(&c->next, c->step)) < c->n)
		c->work(c->arg, at, c->n - at < c->step ? c->n : at + c->step, who);
}

static void *
worker(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;
	unsigned seen = 0, now;

	for (;;) {
		for (int i = 0; i < LOOKS && (now = atomic_load(&c->round)) == seen; i++)
			;
		if (now == seen) {
			pthread_mutex_lock(&c->lock);
			while ((now = atomic_load(&c->round)) == seen)
				pthread_cond_wait(&c->begin, &c->lock);
			pthread_mutex_unlock(&c->lock);
		}
		seen = now;
		if (c->quit)
			return NULL;
		share(c, w->who);
		if (atomic_fetch_sub(&c->busy, 1) == 1) {
			pthread_mutex_lock(&c->lock);
			pthread_cond_signal(&c->end);
			pthread_mutex_unlock(&c->lock);
		}
	}
}

static void
start(struct crew *c)
{
	pthread_mutex_lock(&c->lock);
	atomic_store(&c->busy, c->jobs - 1);
	atomic_fetch_add(&c->round, 1);
	pthread_cond_broadcast(&c->begin);
	pthread_mutex_unlock(&c->lock);
}

void
crew_run(struct crew *c, size_t n, size_t step,
    void (*work)(void *, size_t, size_t, unsigned), void *arg)
{
	if (c->jobs == 1 || n <= step) {
		if (n > 0)
			work(arg, 0, n, 0);
		return;
	}
	c->n = n;
	c->step = step;
	c->work = work;
	c->arg = arg;
	atomic_store(&c->next, 0);
	start(c);
	share(c, 0);
	for (int i = 0; i < LOOKS && atomic_load(&c->busy); i++)
		;
	if (!atomic_load(&c->busy))
		return;
	pthread_mutex_lock(&c->lock);
	while (atomic_load(&c->busy))
		pthread_cond_wait(&c->end, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

unsigned
crew_size(const struct crew *c)
{
	return c->jobs;
}

struct crew *
crew_new(unsigned jobs, struct err *e)
{
	struct crew *c = calloc(1, sizeof *c);

	if (!c || (jobs > 1 && !(c->worker = calloc(jobs - 1, sizeof *c->worker)))) {
		free(c);
		err_set(e, "out of memory");
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->begin, NULL);
	pthread_cond_init(&c->end, NULL);
	c->jobs = 1;
	for (unsigned i = 0; i + 1 < jobs; i++) {
		struct worker *w = &c->worker[i];

		w->crew = c;
		w->who = i + 1;
		if (pthread_create(&w->thread, NULL, worker, w)) {
			crew_free(c);
			err_set(e, "cannot start thread %u of %u", i + 1, jobs);
			return NULL;
		}
		c->jobs++;
	}
	return c;
}

void
crew_free(struct crew *c)
{
	if (!c)
		return;
	c->quit = true;
	start(c);
	for (unsigned i = 0; i + 1 < c->jobs; i++)
		pthread_join(c->worker[i].thread, NULL);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->begin);
	pthread_cond_destroy(&c->end);
	free(c->worker);
	free(c);
}
