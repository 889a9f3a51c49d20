/* SPDX-License-Identifier: MIT */
/*
 * serve.h -- many prompts through one model at once: a slot each, prompts in
 * pieces beside tokens being generated, and what prompts have in common
 * computed once.  A job's tokens do not depend on the other jobs.
 */
#ifndef APR_SERVE_H
#define APR_SERVE_H

#include <apr/infer.h>
#include <apr/sample.h>

enum serve_end { SERVE_STOP, SERVE_LENGTH, SERVE_CONTEXT };

struct serve_job {
	const int32_t		*ids;		/* borrowed until done() */
	size_t			 n;		/* at least 1 */
	unsigned		 max;		/* tokens to make */
	struct sample_opts	 sample;
	bool			 logprobs;
	void			*user;
};

struct serve {
	/* The next job: 1, or 0 when there are no more, or -1; or 2: none yet,
	 * which may be said while others are `busy`. */
	int	(*next)(void *ctx, bool busy, struct serve_job *, struct err *);
	/* A token: 1 to go on, 0 if it ends the answer, -1. */
	int	(*token)(void *ctx, void *user, int32_t id, float logprob, struct err *);
	int	(*done)(void *ctx, void *user, enum serve_end, struct err *);
	void	*ctx;
	/* Tokens looked up in what is there already, and tried at once; 0: none. */
	unsigned lookup;
};

struct serve_count {
	uint64_t	prompt, reused, made, tried, kept;
};

/* Until next() says 0 and all are done.  `in` is used by nobody else. */
int	serve_run(struct infer *in, const struct infer_opts *, unsigned n_vocab,
	    const struct serve *, struct serve_count *, struct err *) APR_MUSTCHECK;

#endif
