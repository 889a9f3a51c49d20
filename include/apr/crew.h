/* SPDX-License-Identifier: MIT */
/*
 * crew.h -- threads that share out one piece of work at a time, and sleep in
 * between.  What is computed must not depend on who computes it.
 */
#ifndef APR_CREW_H
#define APR_CREW_H

#include <stddef.h>

#include <apr/err.h>

struct crew;

/* `jobs` threads in all, the caller's among them. */
struct crew *crew_new(unsigned jobs, struct err *);
void	crew_free(struct crew *);
unsigned crew_size(const struct crew *);
/*
 * work(arg, from, to, who) for [0, n) in pieces of `step` (fewer than 2^32);
 * who is below crew_size().  Each thread has pieces that follow one another,
 * and takes others' last ones when it is done.  Returns when all is done.
 */
void	crew_run(struct crew *, size_t n, size_t step,
	    void (*work)(void *arg, size_t from, size_t to, unsigned who), void *arg);

#endif
