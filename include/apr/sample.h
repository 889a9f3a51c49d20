/* SPDX-License-Identifier: MIT */
/* sample.h -- from logits to a token.  Greedy unless told otherwise; the same
 * seed and logits give the same tokens on every machine. */
#ifndef APR_SAMPLE_H
#define APR_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

struct sample_bias {
	int32_t	 id;
	float	 add;
};

struct sample_opts {
	float		 temperature;	/* 0: the largest logit (of equals the first) */
	unsigned	 top_k;		/* 0: all */
	float		 top_p, min_p, typical;	/* 1, 0, 1: all */
	/* On tokens seen: logit / r or * r (prompt too); minus p once, minus f
	 * for each time (generated ones). */
	float		 repetition, presence, frequency;
	uint64_t	 seed;
	const struct sample_bias *bias;
	size_t		 nbias;
};
#define SAMPLE_DEFAULTS { .top_p = 1, .typical = 1, .repetition = 1 }

struct sampler;

struct sampler *sampler_new(const struct sample_opts *, unsigned n_vocab, struct err *);
/* A token of the prompt, or one that was generated. */
void	sampler_saw(struct sampler *, int32_t id, int generated);
/* Logits (n_vocab, changed in place) to a token; *logprob is its natural
 * logarithm of probability before any of this, if asked for. */
int32_t	sampler_pick(struct sampler *, float *logits, float *logprob);
void	sampler_free(struct sampler *);

#endif
