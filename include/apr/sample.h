/* SPDX-License-Identifier: MIT */
/* sample.h -- how the next token is chosen.  Greedy unless told otherwise; the
 * same seed and logits give the same tokens on every machine. */
#ifndef APR_SAMPLE_H
#define APR_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include <apr/device.h>
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

/*
 * A token's probability is that of its logit over the temperature (which comes
 * first, as in transformers).  Cuts come in llama.cpp's order, each of what the
 * one before left, the likeliest first (of equals the one with the lower
 * number): top_k tokens; those whose surprise is closest to the mean surprise,
 * until they have `typical` of what is left; the likeliest until they have
 * top_p of what is left; those at least min_p as likely as the first.  Sums are
 * of whole numbers (odds.h): no order of them, and so no device, makes another
 * token.
 */
struct sampler;

struct sampler *sampler_new(const struct sample_opts *, unsigned n_vocab, struct err *);
/* A token of the prompt, or one that was generated; and as if it had not been. */
void	sampler_saw(struct sampler *, int32_t id, int generated);
void	sampler_undo(struct sampler *, int32_t id);
/* Marks that a choice has now, at most. */
size_t	sampler_marks(const struct sampler *);
/* How to choose the next token, with marks in the caller's memory; of a token
 * its natural logarithm of probability before any of this, if asked for. */
void	sampler_choice(struct sampler *, bool logprob, struct device_choice *,
	    struct device_mark *);
void	sampler_free(struct sampler *);

#endif
