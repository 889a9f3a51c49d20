/* SPDX-License-Identifier: MIT */
/* forward.c -- a batch of tokens through all layers. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/fmath.h>
#include <apr/kernel.h>
#include <apr/size.h>

#include "infer.h"

static size_t
head_bytes(const struct hparams *h, enum infer_kv kv)
{
	size_t hd = h->head_dim;

	return kv == KV_F32 ? hd * 4 : kv == KV_F16 ? hd * 2 : (hd + 31) / 32 * 34;
}

/* The widest column that a layer makes besides n_embd. */
static size_t
widest(const struct hparams *h)
{
	size_t q = (size_t)h->n_head * h->head_dim * (h->q_gate ? 2 : 1);
	size_t kv = 2 * (size_t)h->n_kv * h->head_dim;
	size_t mix = 2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv;
	size_t w = h->n_embd, all[] = { q, kv, mix, h->n_ff, h->n_ff_exp };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i] > w)
			w = all[i];
	return w;
}

static size_t
half_rot(const struct model *m)
{
	unsigned a = m->rope[0].n_rot / 2, b = m->rope[1].n_rot / 2;

	return a > b ? a : b;
}

/* Floats and bytes of the parts of a context. */
struct plan {
	size_t	 x, wide, rope, route, pick, gather, act, tmp, work;
	uint64_t kv, state, scratch;
};

static void
plan(const struct model *m, const struct infer_opts *o, struct plan *p)
{
	const struct hparams *h = &m->h;
	size_t n = o->n_batch, w = widest(h);
	/* layers.c: want_fine() */
	bool state = h->nk > 0, all = h->n_expert > 0;
	struct mat one = { .cols = w, .fine = state || all };

	p->x = n * h->n_embd;
	p->wide = n * w;
	p->rope = 2 * n * half_rot(m);
	p->route = n * h->n_expert;
	p->pick = n + 1;
	p->gather = h->n_expert ? n * h->n_embd : 0;
	p->act = act_scratch(w, all ? 2 * n : n) + h->n_expert * sizeof(struct dot_act);
	if (state && p->act < act_scratch(h->n_embd, 2 * n))
		p->act = act_scratch(h->n_embd, 2 * n);
	p->tmp = (mat_scratch(&one) + 63) / 64 * 64;
	p->work = infer_attention_work(h->head_dim);
	if (p->work < w)
		p->work = w;
	p->kv = p->state = 0;
	for (unsigned i = 0; i < h->n_layer; i++)
		if (m->layer[i].mixer == MIX_ATTENTION)
			p->kv += 2 * (uint64_t)o->nseq * o->n_ctx * h->n_kv * head_bytes(h, o->kv);
		else
			p->state += 4 * (uint64_t)o->nseq * ((uint64_t)h->nv * h->dk * h->dv +
			    (h->n_conv - 1) * (2 * (uint64_t)h->nk * h->dk + (uint64_t)h->nv * h->dv));
	p->scratch = 4 * (2 * p->x + 3 * p->wide + 2 * p->rope + p->route + p->pick + p->gather) +
	    p->act;
}

void
infer_size(const struct model *m, const struct infer_opts *o, unsigned jobs, uint64_t *kv,
    uint64_t *scratch)
{
	struct plan p;

	plan(m, o, &p);
	*kv = p.kv + p.state;
	*scratch = p.scratch + jobs * ((uint64_t)p.tmp + 4 * (uint64_t)p.work) +
	    4 * (uint64_t)o->nseq * m->h.n_vocab;
}

unsigned
infer_batch(const struct model *m, const struct infer_opts *o, unsigned jobs, uint64_t bytes)
{
	struct infer_opts less = *o;
	uint64_t kv, scratch;

	for (;;) {
		infer_size(m, &less, jobs, &kv, &scratch);
		if (scratch <= bytes || less.n_batch <= 16 || less.n_batch / 2 < o->nseq)
			return less.n_batch;
		less.n_batch /= 2;
	}
}

void
infer_free(struct infer *f)
{
	if (!f)
		return;
	for (unsigned i = 0; f->cache && i < f->m->h.n_layer; i++) {
		free(f->cache[i].k);
		free(f->cache[i].v);
		free(f->cache[i].conv);
		free(f->cache[i].state);
	}
	free(f->cache);
	free(f->len);
	free(f->x);
	free(f->h);
	free(f->a);
	free(f->b);
	free(f->c);
	free(f->cos);
	free(f->sin);
	free(f->act);
	free(f->tmp);
	free(f->work);
	free(f->route);
	free(f->pick);
	free(f->gather);
	free(f->users);
	free(f->product);
	free(f);
}

/* malloc's, so that pages come as positions are filled. */
static bool
new_cache(struct infer *f, struct cache *c, const struct layer *l)
{
	const struct hparams *h = &f->m->h;
	size_t rows = (size_t)f->o.nseq * f->o.n_ctx;
	size_t channels = 2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv;

	if (l->mixer == MIX_DELTANET)
		return (c->conv = calloc((size_t)f->o.nseq * (h->n_conv - 1) * channels + 1, 4)) &&
		    (c->state = calloc((size_t)f->o.nseq * h->nv * h->dk * h->dv, 4));
	return (c->k = malloc(rows * h->n_kv * f->head_bytes)) &&
	    (c->v = malloc(rows * h->n_kv * f->head_bytes));
}

struct infer *
infer_new(const struct model *m, const struct infer_opts *o, struct crew *crew, struct err *e)
{
	struct infer *f = calloc(1, sizeof *f);
	const struct hparams *h = &m->h;
	struct plan p;
	bool ok;

	if (!f) {
		err_set(e, "out of memory");
		return NULL;
	}
	if (o->kv == KV_Q8_0 && h->head_dim % 32) {
		err_set(e, "heads of %u are not whole Q8_0 blocks of 32", h->head_dim);
		free(f);
		return NULL;
	}
	plan(m, o, &p);
	f->m = m;
	f->o = *o;
	f->crew = crew;
	f->head_bytes = head_bytes(h, o->kv);
	f->wide = widest(h);
	f->rope_ld = half_rot(m);
	f->tmp_bytes = p.tmp;
	f->work_floats = p.work;
	ok = (f->cache = calloc(h->n_layer, sizeof *f->cache)) &&
	    (f->len = calloc(o->nseq, sizeof *f->len)) &&
	    (f->x = malloc(p.x * 4)) && (f->h = malloc(p.x * 4)) &&
	    (f->a = malloc(p.wide * 4)) && (f->b = malloc(p.wide * 4)) &&
	    (f->c = malloc(p.wide * 4)) &&
	    (f->cos = malloc(p.rope * 4 + 4)) && (f->sin = malloc(p.rope * 4 + 4)) &&
	    (f->act = malloc(p.act)) &&
	    (f->tmp = aligned_alloc(64, p.tmp * crew_size(crew))) &&
	    (f->work = malloc(p.work * 4 * crew_size(crew))) &&
	    (f->route = malloc(p.route * 4 + 4)) && (f->pick = malloc(p.pick * 4)) &&
	    (f->gather = malloc(p.gather * 4 + 4)) &&
	    (f->users = calloc(h->n_expert + 1, sizeof *f->users)) &&
	    (f->product = calloc(2 * (size_t)h->n_expert + 1, sizeof *f->product));
	for (unsigned i = 0; ok && i < h->n_layer; i++)
		ok = new_cache(f, &f->cache[i], &m->layer[i]);
	if (ok)
		return f;
	infer_free(f);
	err_set(e, "out of memory (%" PRIu64 " bytes of keys and values, %" PRIu64 " of scratch)",
	    p.kv + p.state, p.scratch);
	return NULL;
}

void
infer_set_trace(struct infer *f, infer_trace trace, void *ctx)
{
	f->trace = trace;
	f->trace_ctx = ctx;
}

int
infer_traced(struct infer *f, const char *what, const float *x, size_t width, size_t ld,
    struct err *e)
{
	char name[64];

	if (!f->trace)
		return 0;
	snprintf(name, sizeof name, "layer.%d.%s", f->layer, what);
	return f->trace(f->trace_ctx, name, x, f->n, width, ld, e);
}

static int
hidden(struct infer *f, unsigned i, const float *x, struct err *e)
{
	char name[32];

	if (!f->trace)
		return 0;
	snprintf(name, sizeof name, "hidden.%u", i);
	return f->trace(f->trace_ctx, name, x, f->n, f->m->h.n_embd, f->m->h.n_embd, e);
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

static void
embed(void *arg, size_t from, size_t to, unsigned who)
{
	struct infer *f = arg;
	const struct hparams *h = &f->m->h;
	float *pos = f->work + who * f->work_floats;

	for (size_t i = from; i < to; i++) {
		float *x = f->x + i * h->n_embd;

		mat_row(&f->m->embd, (size_t)f->tok[i].id, x);
		if (h->embd_scale != 1)
			for (size_t k = 0; k < h->n_embd; k++)
				x[k] *= h->embd_scale;
		if (!f->m->pos_embd.data)
			continue;
		mat_row(&f->m->pos_embd, f->tok[i].pos, pos);
		for (size_t k = 0; k < h->n_embd; k++)
			x[k] += pos[k];
	}
}

static void
norm_to_h(struct infer *f, const float *w, const float *b)
{
	size_t d = f->m->h.n_embd;

	if (w)
		infer_norm(f, w, b, f->x, d, f->h, d, f->n, d, d);
	else
		memcpy(f->h, f->x, f->n * d * sizeof *f->h);
}

static void
add(void *arg, size_t from, size_t to, unsigned who)
{
	const struct infer *f = arg;
	const struct hparams *h = &f->m->h;

	(void)who;
	for (size_t i = from; i < to; i++)
		kernels()->f.add(f->x + i * h->n_embd, f->a + i * f->wide, h->residual_scale,
		    h->n_embd);
}

/* x += scale * norm(a) */
static void
add_branch(struct infer *f, const float *w)
{
	size_t d = f->m->h.n_embd;

	if (w)
		infer_norm(f, w, NULL, f->a, f->wide, f->a, f->wide, f->n, d, d);
	crew_run(f->crew, f->n, 4, add, f);
}

static int
layer(struct infer *f, unsigned i, struct err *e)
{
	const struct layer *l = &f->m->layer[i];
	size_t d = f->m->h.n_embd;
	int r;

	f->layer = (int)i;
	norm_to_h(f, l->attn_norm, l->attn_norm_b);
	if (infer_traced(f, "attn_norm", f->h, d, d, e) < 0)
		return -1;
	r = l->mixer == MIX_ATTENTION ? infer_attention(f, l, &f->cache[i], e) :
	    infer_deltanet(f, l, &f->cache[i], e);
	if (r < 0)
		return -1;
	add_branch(f, l->post_attn_norm);
	norm_to_h(f, l->ffn_norm, l->ffn_norm_b);
	if (infer_traced(f, "ffn_norm", f->h, d, d, e) < 0 ||
	    (l->router.data ? infer_moe(f, l, e) : infer_ffn(f, l, e)) < 0)
		return -1;
	add_branch(f, l->post_ffn_norm);
	return 0;
}

/* The columns that are wanted, together, then through the output matrix. */
static int
output(struct infer *f, float *logits, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t n = 0, d = h->n_embd;

	for (size_t i = 0; i < f->n; i++)
		if (f->tok[i].logits)
			memmove(f->h + n++ * d, f->h + i * d, d * sizeof *f->h);
	if (n == 0)
		return 0;
	infer_mul(f, &f->m->output, NULL, f->h, d, n, logits, h->n_vocab);
	for (size_t i = 0; i < n * h->n_vocab; i++) {
		if (h->logit_scale != 1)
			logits[i] /= h->logit_scale;
		if (h->logit_cap != 0)
			logits[i] = h->logit_cap * fm_tanh(logits[i] / h->logit_cap);
		if (!isfinite(logits[i]))
			return err_set(e, "a logit is %g: weights or activations are no numbers",
			    (double)logits[i]);
	}
	return 0;
}

int
infer_run(struct infer *f, const struct infer_token *tok, size_t n, float *logits,
    struct err *e)
{
	const struct hparams *h = &f->m->h;

	if (n > f->o.n_batch)
		return err_set(e, "%zu tokens at once: the batch is %u", n, f->o.n_batch);
	if (check(f, tok, n, e) < 0)
		return -1;
	f->tok = tok;
	f->n = n;
	infer_rope_tables(f);
	crew_run(f->crew, n, 4, embed, f);
	if (hidden(f, 0, f->x, e) < 0)
		return -1;
	for (unsigned i = 0; i < h->n_layer; i++) {
		if (layer(f, i, e) < 0)
			return -1;
		if (i + 1 < h->n_layer && hidden(f, i + 1, f->x, e) < 0)
			return -1;
	}
	norm_to_h(f, f->m->out_norm, f->m->out_norm_b);
	if (hidden(f, h->n_layer, f->h, e) < 0)
		return -1;
	return output(f, logits, e);
}

void
infer_clear(struct infer *f, uint32_t seq)
{
	const struct hparams *h = &f->m->h;
	size_t conv = (h->n_conv ? h->n_conv - 1 : 0) *
	    (2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv);
	size_t state = (size_t)h->nv * h->dk * h->dv;

	f->len[seq] = 0;
	for (unsigned i = 0; i < h->n_layer; i++)
		if (f->m->layer[i].mixer == MIX_DELTANET) {
			memset(f->cache[i].conv + seq * conv, 0, conv * 4);
			memset(f->cache[i].state + seq * state, 0, state * 4);
		}
}

bool
infer_can_rewind(const struct infer *f)
{
	for (unsigned i = 0; i < f->m->h.n_layer; i++)
		if (f->m->layer[i].mixer != MIX_ATTENTION)
			return false;
	return true;
}

void
infer_rewind(struct infer *f, uint32_t seq, uint32_t n)
{
	f->len[seq] = n;
}

int
infer_fork(struct infer *f, uint32_t to, uint32_t from, uint32_t n, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t conv = (h->n_conv ? h->n_conv - 1 : 0) *
	    (2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv);
	size_t state = (size_t)h->nv * h->dk * h->dv;

	if (n != f->len[from] && !infer_can_rewind(f))
		return err_set(e, "a state of %" PRIu32 " tokens cannot be cut to %" PRIu32,
		    f->len[from], n);
	for (unsigned i = 0; to != from && i < h->n_layer; i++) {
		struct cache *c = &f->cache[i];

		if (f->m->layer[i].mixer == MIX_ATTENTION) {
			for (unsigned a = 0; a < h->n_kv; a++) {
				size_t dst = infer_cache_at(f, to, a, 0);
				size_t src = infer_cache_at(f, from, a, 0);

				memcpy(c->k + dst, c->k + src, n * f->head_bytes);
				memcpy(c->v + dst, c->v + src, n * f->head_bytes);
			}
			continue;
		}
		memcpy(c->conv + to * conv, c->conv + from * conv, conv * 4);
		memcpy(c->state + to * state, c->state + from * state, state * 4);
	}
	f->len[to] = n;
	return 0;
}
