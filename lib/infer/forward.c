/* SPDX-License-Identifier: MIT */
/* forward.c -- a batch of tokens through all layers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/kernel.h>
#include <apr/odds.h>
#include <apr/size.h>

#include "infer.h"

void
infer_set_trace(struct infer *f, infer_trace trace, void *ctx)
{
	f->trace = trace;
	f->trace_ctx = ctx;
}

/* n columns of `width`, ld apart, to whoever wanted to see them. */
static int
shown(struct infer *f, const char *name, const float *x, size_t width, size_t ld, struct err *e)
{
	size_t most = f->wide > f->m->h.n_expert ? f->wide : f->m->h.n_expert;

	if (!f->seen && !(f->seen = malloc(f->o.n_batch * most * sizeof *f->seen)))
		return err_set(e, "out of memory");
	if (f->d->op->read(f->d, f->seen, x, ((f->n - 1) * ld + width) * sizeof *x, e) < 0)
		return -1;
	return f->trace(f->trace_ctx, name, f->seen, f->n, width, ld, e);
}

int
infer_traced(struct infer *f, const char *what, const float *x, size_t width, size_t ld,
    struct err *e)
{
	char name[64];

	if (!f->trace)
		return 0;
	snprintf(name, sizeof name, "layer.%d.%s", f->layer, what);
	return shown(f, name, x, width, ld, e);
}

static int
hidden(struct infer *f, unsigned i, const float *x, struct err *e)
{
	char name[32];

	if (!f->trace)
		return 0;
	snprintf(name, sizeof name, "hidden.%u", i);
	return shown(f, name, x, f->m->h.n_embd, f->m->h.n_embd, e);
}

static int
check(struct infer *f, const struct infer_token *t, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (t[i].id < 0 || (uint32_t)t[i].id >= f->m->h.n_vocab)
			return err_set(e, "token %" PRId32 ": the model knows 0 to %u", t[i].id,
			    f->m->h.n_vocab - 1);
		if (t[i].seq >= f->o.nseq || t[i].pos != f->len[t[i].seq])
			return err_set(e, "token %zu: position %" PRIu32 " of sequence %" PRIu32
			    " is not the next", i, t[i].pos, t[i].seq);
		if (t[i].pos >= f->o.n_ctx)
			return err_set(e, "the context of %u is full", f->o.n_ctx);
		f->len[t[i].seq]++;
	}
	return 0;
}

/* What layer i, or the output, first takes h into. */
static const struct mat *
next_to(const struct model *m, unsigned i)
{
	return i == m->h.n_layer ? &m->output : m->layer[i].mixer == MIX_ATTENTION ?
	    &m->layer[i].q : &m->layer[i].qkv;
}

/* x += scale * norm(a), and its norm before layer i to h. */
static void
to_layer(struct infer *f, unsigned i, const float *after)
{
	const struct model *m = f->m;
	const struct layer *l = i < m->h.n_layer ? &m->layer[i] : NULL;

	if (after)
		infer_norm(f, after, f->a, m->h.n_embd, m->h.n_embd);
	infer_norm_to_h(f, l ? l->attn_norm : m->out_norm, l ? l->attn_norm_b : m->out_norm_b,
	    i > 0, next_to(m, i));
}

static int
layer(struct infer *f, unsigned i, struct err *e)
{
	const struct layer *l = &f->m->layer[i];
	size_t d = f->m->h.n_embd;
	int r;

	f->layer = (int)i;
	if (infer_traced(f, "attn_norm", f->h, d, d, e) < 0)
		return -1;
	r = l->mixer == MIX_ATTENTION ? infer_attention(f, l, &f->cache[i], e) :
	    infer_deltanet(f, l, &f->cache[i], e);
	if (r < 0)
		return -1;
	if (l->post_attn_norm)
		infer_norm(f, l->post_attn_norm, f->a, d, d);
	infer_norm_to_h(f, l->ffn_norm, l->ffn_norm_b, true, l->router.data ? &l->router : &l->up);
	if (infer_traced(f, "ffn_norm", f->h, d, d, e) < 0 ||
	    (l->router.data ? infer_moe(f, l, e) : infer_ffn(f, l, e)) < 0)
		return -1;
	to_layer(f, i + 1, l->post_ffn_norm);
	return 0;
}

static int
no_number(float logit, struct err *e)
{
	return err_set(e, "a logit is %g: weights or activations are no numbers", (double)logit);
}

/* The columns that are wanted, how many they are, together. */
static size_t
wanted(struct infer *f)
{
	size_t n = 0, d = f->m->h.n_embd;

	for (size_t i = 0; i < f->n; i++)
		if (f->tok[i].logits)
			f->pick[n++] = (uint32_t)i;
	if (n > 0 && n < f->n)
		f->d->op->gather(f->d, &(struct device_gather){ .y = f->h, .x = f->h, .ldy = d,
		    .ldx = d, .n = n, .width = d, .from = f->pick });
	return n;
}

/* Those through the output matrix. */
static int
output(struct infer *f, float *logits, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t n = wanted(f), row = h->n_vocab;
	float *y;

	if (n == 0)
		return 0;
	if (!(y = f->d->op->result(f->d, logits, n * row * sizeof *y, e)))
		return -1;
	infer_mul(f, &f->m->output, NULL, f->h, h->n_embd, n, y, row);
	if (f->d->op->read(f->d, logits, y, n * row * sizeof *y, e) < 0)
		return -1;
	for (size_t i = 0; i < n * row; i++) {
		logits[i] = odds_logit(logits[i], h->logit_scale, h->logit_cap);
		if (!isfinite(logits[i]))
			return no_number(logits[i], e);
	}
	return 0;
}

static int
through(struct infer *f, const struct infer_token *tok, size_t n, struct err *e)
{
	const struct hparams *h = &f->m->h;

	if (n > f->o.n_batch)
		return err_set(e, "%zu tokens at once: the batch is %u", n, f->o.n_batch);
	if (check(f, tok, n, e) < 0)
		return -1;
	f->tok = tok;
	f->n = n;
	for (size_t i = 0; i < n; i++) {
		f->at[i] = (struct device_at){ tok[i].seq, tok[i].pos };
		f->id[i] = tok[i].id;
	}
	f->d->op->batch(f->d, f->at, n);
	infer_rope_tables(f);
	f->d->op->embed(f->d, &(struct device_embed){ .w = &f->m->embd, .pos = &f->m->pos_embd,
	    .id = f->id, .at = f->at, .scale = h->embd_scale, .x = f->x });
	if (hidden(f, 0, f->x, e) < 0)
		return -1;
	to_layer(f, 0, NULL);
	for (unsigned i = 0; i < h->n_layer; i++) {
		if (layer(f, i, e) < 0)
			return -1;
		if (i + 1 < h->n_layer && hidden(f, i + 1, f->x, e) < 0)
			return -1;
	}
	return hidden(f, h->n_layer, f->h, e);
}

int
infer_run(struct infer *f, const struct infer_token *tok, size_t n, float *logits,
    struct err *e)
{
	return through(f, tok, n, e) < 0 ? -1 : output(f, logits, e);
}

/* Columns whose logits are wanted, and memory for them. */
static int
rows(struct infer *f, const struct infer_token *tok, size_t n, size_t *wanted, struct err *e)
{
	size_t row = f->m->h.n_vocab;

	*wanted = 0;
	for (size_t i = 0; i < n; i++)
		*wanted += tok[i].logits;
	if (*wanted <= f->nrows)
		return 0;
	if (f->rows)
		f->d->op->free(f->d, f->rows);
	f->nrows = 0;
	if (!(f->rows = f->d->op->alloc(f->d, *wanted * row * sizeof *f->rows, e)))
		return -1;
	f->nrows = *wanted;
	return 0;
}

int
infer_choose(struct infer *f, const struct infer_token *tok, size_t n,
    const struct device_choice *c, struct device_chosen *to, struct err *e)
{
	const struct hparams *h = &f->m->h;
	struct device_sample s = { .n_vocab = h->n_vocab, .scale = h->logit_scale,
	    .cap = h->logit_cap, .choice = c };

	if (rows(f, tok, n, &s.n, e) < 0 ||
	    (s.n > 0 && f->d->op->choices(f->d, &s, e) < 0) || through(f, tok, n, e) < 0)
		return -1;
	if (wanted(f) == 0)
		return 0;
	s.logits = f->rows;
	infer_mul(f, &f->m->output, NULL, f->h, h->n_embd, s.n, f->rows, h->n_vocab);
	if (f->d->op->sample(f->d, &s, to, e) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (to[i].id < 0)
			return no_number(to[i].logprob, e);
	return 0;
}
