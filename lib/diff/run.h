/* SPDX-License-Identifier: MIT */
/* run.h -- comparing under way: chunks of pairs as jobs of a pool. */
#ifndef DIFF_RUN_H
#define DIFF_RUN_H

#include <apr/pool.h>

#include "diff.h"

/* Some rows of a pair, or some of a long one. */
struct job {
	struct diff		*d;
	struct pair		*p;
	uint64_t		 at;
	size_t			 n;
	struct held_bytes	 held[2];	/* p NULL: read */
	unsigned char		*raw[2];
	size_t			 cap[2];
	unsigned char		*x[2];
	size_t			 room;
	struct diff_sums	 sums;
	bool			 bad;
	struct err		 e;
};

/* Which pairs want a tensor. */
struct use {
	struct pair	*p;
	uint64_t	 at;		/* of the tensor in the view's run */
	size_t		 next;
};
#define NONE	SIZE_MAX

struct uses {
	struct use	*v;
	size_t		*head;		/* one a tensor */
	size_t		 n;
};

struct run {
	struct diff	*d;
	struct pool	*pool;
	struct job	*job;
	size_t		 njob;
	struct job	**idle;
	size_t		 nidle;
	void		(*progress)(uint64_t);
	struct uses	 uses[2];
	unsigned char	*shared;
	size_t		 nshared;
};

/* jobs.c: what a worker does. */
void	diff_job_work(void *);
/* A job for elements [at, at + n) of a pair, to be put into the pool. */
struct job *diff_job_new(struct run *, struct pair *, uint64_t at, size_t n, struct err *);
/* Until all are done. */
int	diff_drain(struct run *, struct err *) APR_MUSTCHECK;
/* How many elements from `at` on are a chunk, n being left. */
size_t	diff_chunk(const struct pair *, uint64_t at, uint64_t n);
/* A pair whose two sides can be read anywhere. */
int	diff_whole(struct run *, struct pair *, struct err *) APR_MUSTCHECK;

#endif
