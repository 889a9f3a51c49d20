/* SPDX-License-Identifier: MIT */
/* cpu.h -- the threads of the CPU and their memory.  Private to lib/device. */
#ifndef DEVICE_CPU_H
#define DEVICE_CPU_H

#include <apr/crew.h>
#include <apr/device.h>
#include <apr/kernel.h>

enum { KEY_BLOCK = 256 };		/* keys that attention takes together, */
enum { ATTEND_QUERIES = 64 };		/* and queries at most */

/* A product under way. */
struct multiplied {
	struct device_product p;
	struct act	 act;
	void		*scratch;	/* the activations' */
	size_t		 step, pieces;	/* rows of a piece */
};

struct cpu {
	struct device	 d;
	struct crew	*crew;
	struct device_need need;	/* what memory is there for */
	void		*act;		/* act_scratch() */
	void		*tmp;		/* mat_scratch() a thread */
	size_t		 tmp_bytes;
	float		*work;		/* a thread's own */
	size_t		 work_floats;
	uint32_t	*pick;		/* need.n + 1 */
	struct multiplied *product;
	const struct device_at *at;	/* the batch */
	size_t		 n;
	void		*sample;	/* once a token was drawn */
	size_t		 sample_bytes;
};

/* One norm of m->len. */
void	cpu_norm(const struct device_norm *m, const float *x, float *y);
/* Where a head's key or value is, in bytes. */
static inline size_t
cpu_cache_at(const struct device_cache *c, size_t seq, size_t head, size_t pos)
{
	return ((seq * c->n_kv + head) * c->n_ctx + pos) * c->head_bytes;
}

/* A thread's floats for attention. */
size_t	cpu_attend_work(size_t head_dim);

void	cpu_multiply(struct device *, const struct device_product *, size_t n, bool precise);
void	cpu_remember(struct device *, const struct device_remember *);
void	cpu_attend(struct device *, const struct device_attend *);
void	cpu_delta(struct device *, const struct device_delta *);
int	cpu_choices(struct device *, const struct device_sample *, struct err *);
int	cpu_sample(struct device *, const struct device_sample *, struct device_chosen *,
	    struct err *);

#endif
