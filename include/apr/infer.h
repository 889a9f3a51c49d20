/* SPDX-License-Identifier: MIT */
/*
 * infer.h -- run a model: tokens in, logits out.
 *
 * A context holds the keys, values and states of `nseq` sequences and the
 * scratch of a batch.  What a token gives depends on the tokens before it in
 * its sequence alone: not on the batch, on threads, or on how a prompt was
 * cut (dot.h has the order of sums).
 */
#ifndef APR_INFER_H
#define APR_INFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/device.h>
#include <apr/err.h>

struct model;
struct infer;

/* KV_DEFAULT: no coarser than activations (`precise`) and weights are, so F32
 * where all weights are floats of 16 bits and more, F16 elsewhere. */
enum infer_kv { KV_DEFAULT, KV_F16, KV_F32, KV_Q8_0 };

struct infer_opts {
	unsigned	 n_ctx;		/* positions of a sequence */
	unsigned	 nseq;
	unsigned	 n_batch;	/* tokens at once, at most */
	/* Tokens at once that want logits, of infer_run() and of infer_choose(), for
	 * which there is room then; more get theirs when they come. */
	unsigned	 n_logits, n_choose;
	enum infer_kv	 kv;
	bool		 precise;	/* F32 activations, for comparison */
};

struct infer_token {
	int32_t		 id;
	uint32_t	 seq;
	uint32_t	 pos;		/* the next of its sequence */
	bool		 logits;	/* wanted */
};

/* Bytes of keys, values and states, and of scratch, the device's own and a row
 * of logits a sequence among it. */
void	infer_size(const struct model *, const struct infer_opts *, const struct device *,
	    uint64_t *kv, uint64_t *scratch);
/* All that a device's memory is taken for, weights too, before it is (limit: as
 * device_plan_begin() has it).  Fails where it lacks something, naming that. */
int	infer_plan(const struct model *, const struct infer_opts *, struct device *, uint64_t limit,
	    struct device_plan *, struct err *) APR_MUSTCHECK;
/* The largest batch, up to o's, whose scratch takes no more than `bytes`, or
 * as few tokens as make sense. */
unsigned infer_batch(const struct model *, const struct infer_opts *, const struct device *,
	    uint64_t bytes);
/* The device is borrowed; fails where it lacks something, naming that.  There
 * is room for the weights then: model_load() fills it. */
struct infer *infer_new(const struct model *, const struct infer_opts *,
	    struct device *, struct err *);
void	infer_free(struct infer *);

/* Called with intermediate values: "hidden.0", "layer.3.q", n x width. */
typedef int (*infer_trace)(void *ctx, const char *name, const float *x, size_t n,
	    size_t width, size_t ld, struct err *);
void	infer_set_trace(struct infer *, infer_trace, void *ctx);

/*
 * n tokens (at most n_batch) through the model, tokens of one sequence in
 * order of position.  logits: n_vocab floats for each token that wants them,
 * in order; may be NULL if none does.
 */
int	infer_run(struct infer *, const struct infer_token *, size_t n, float *logits,
	    struct err *) APR_MUSTCHECK;
/* The same, and then each such token's logits are a token: one that the device
 * chooses, so that no logits come back. */
int	infer_choose(struct infer *, const struct infer_token *, size_t n,
	    const struct device_choice *, struct device_chosen *, struct err *) APR_MUSTCHECK;
/* A sequence begins anew, or as a copy of the first n positions of another
 * (not where a state cannot be cut: then only all of it). */
void	infer_clear(struct infer *, uint32_t seq);
/* Forget all but the first n positions, where that is possible. */
bool	infer_can_rewind(const struct infer *);
void	infer_rewind(struct infer *, uint32_t seq, uint32_t n);
int	infer_fork(struct infer *, uint32_t to, uint32_t from, uint32_t n, struct err *)
	    APR_MUSTCHECK;

#endif
