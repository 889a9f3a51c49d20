/* SPDX-License-Identifier: MIT */
/* crew.c -- one loop at a time, over many threads. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <apr/crew.h>

/* How often an idle thread looks before it sleeps (some 100 us): between the
 * products of a layer there is less to wait for than a wake-up takes. */
enum { LOOKS = 4000 };

/* What is left of one thread's part: pieces [low half, high half). */
struct span {
	_Alignas(64) atomic_uint_fast64_t at;
};

struct worker {
	struct crew	*crew;
	pthread_t	 thread;
	unsigned	 who;
};

struct crew {
	unsigned	 jobs;
	struct worker	*worker;	/* jobs - 1 */
	struct span	*span;		/* jobs */
	pthread_mutex_t	 lock;
	pthread_cond_t	 begin, end;
	atomic_uint	 round;
	atomic_uint	 busy;		/* workers not yet done with this round */
	size_t		 n, step;
	void		(*work)(void *, size_t, size_t, unsigned);
	void		*arg;
	bool		 quit;
};

static void
breathe(void)
{
#if defined __x86_64__
	__builtin_ia32_pause();
#elif defined __aarch64__
	__asm__ volatile("yield");
#endif
}

/* One piece of a span: the first for its owner, so that memory is read on and
 * on, the last for others. */
static bool
take(struct span *s, bool own, size_t *piece)
{
	uint64_t was = atomic_load(&s->at), now;

	do {
		uint32_t from = (uint32_t)was, to = (uint32_t)(was >> 32);

		if (from >= to)
			return false;
		*piece = own ? from : to - 1;
		now = own ? was + 1 : was - ((uint64_t)1 << 32);
	} while (!atomic_compare_exchange_weak(&s->at, &was, now));
	return true;
}

static void
share(struct crew *c, unsigned who)
{
	for (unsigned i = 0; i < c->jobs; i++) {
		struct span *s = &c->span[(who + i) % c->jobs];
		size_t piece;

		while (take(s, i == 0, &piece)) {
			size_t at = piece * c->step;

			c->work(c->arg, at, c->n - at < c->step ? c->n : at + c->step, who);
		}
	}
}

static void *
worker(void *arg)
{
	struct worker *w = arg;
	struct crew *c = w->crew;
	unsigned seen = 0, now;

	for (;;) {
		for (int i = 0; i < LOOKS && (now = atomic_load(&c->round)) == seen; i++)
			breathe();
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
	size_t pieces = n / step + (n % step != 0);

	if (c->jobs == 1 || pieces <= 1) {
		if (n > 0)
			work(arg, 0, n, 0);
		return;
	}
	c->n = n;
	c->step = step;
	c->work = work;
	c->arg = arg;
	for (unsigned i = 0; i < c->jobs; i++)
		atomic_store(&c->span[i].at, (uint64_t)(pieces * (i + 1) / c->jobs) << 32 |
		    pieces * i / c->jobs);
	start(c);
	share(c, 0);
	for (int i = 0; i < LOOKS && atomic_load(&c->busy); i++)
		breathe();
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

	if (!c || (jobs > 1 && (!(c->worker = calloc(jobs - 1, sizeof *c->worker)) ||
	    !(c->span = aligned_alloc(64, jobs * sizeof *c->span))))) {
		if (c)
			free(c->worker);
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
	free(c->span);
	free(c->worker);
	free(c);
}
