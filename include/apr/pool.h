/* SPDX-License-Identifier: MIT */
/*
 * pool.h -- workers for jobs whose results are wanted in the order in which
 * the jobs were put.  One thread puts and gets.
 */
#ifndef APR_POOL_H
#define APR_POOL_H

#include <stdbool.h>

#include <apr/err.h>

struct pool;

/* `jobs` threads (with 1: none, pool_put() does the work) and room for
 * `depth` jobs at once. */
struct pool *pool_new(unsigned jobs, unsigned depth, void (*work)(void *job),
	    struct err *);
bool	pool_full(const struct pool *);
/* Not when it is full.  The job is borrowed until pool_get() returns it. */
void	pool_put(struct pool *, void *job);
/* The oldest job, waited for; NULL: there is none. */
void	*pool_get(struct pool *);
/* Waits for work under way; what was not begun is forgotten. */
void	pool_free(struct pool *);

/* Processors that this process may use. */
unsigned pool_cpus(void);

#endif
