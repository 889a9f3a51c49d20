/* SPDX-License-Identifier: MIT */
/* context.c -- the memory of a forward pass, and that of sequences. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "infer.h"

/* What a context keeps keys and values as. */
static const struct type *
kept(const struct model *m, const struct infer_opts *o)
{
	switch (o->kv) {
	case KV_F16: return &type_f16;
	case KV_F32: return &type_f32;
	case KV_Q8_0: return type_by_ggml(8);
	default: return o->precise || m->floats ? &type_f32 : &type_f16;
	}
}

static size_t
head_bytes(const struct model *m, const struct infer_opts *o)
{
	const struct type *t = kept(m, o);

	return (m->h.head_dim + t->block - 1) / t->block * t->bytes;
}

/* The widest column that a layer makes besides n_embd. */
static size_t
widest(const struct model *m)
{
	const struct hparams *h = &m->h;
	bool dense = false;
	size_t q = (size_t)h->n_head * h->head_dim * (h->q_gate ? 2 : 1);
	size_t kv = 2 * (size_t)h->n_kv * h->head_dim;
	size_t mix = 2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv;
	size_t w = h->n_embd, all[] = { q, kv, mix, 0 };

	for (unsigned i = 0; i < h->n_layer; i++)
		dense |= !m->layer[i].router.data;
	all[3] = dense ? h->n_ff : 0;
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

/* A sequence's, of one layer of Gated DeltaNet. */
static size_t
conv_floats(const struct hparams *h)
{
	return (h->n_conv ? h->n_conv - 1 : 0) *
	    (2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv);
}

static size_t
state_floats(const struct hparams *h)
{
	return (size_t)h->nv * h->dk * h->dv;
}

/* Floats and bytes of the parts of a context. */
struct plan {
	size_t	 x, wide, rope, route, pick, used;
	uint64_t kv, state, scratch;
	struct device_need need;
};

static void
plan(const struct model *m, const struct infer_opts *o, struct plan *p)
{
	const struct hparams *h = &m->h;
	size_t n = o->n_batch, w = widest(m);

	p->x = n * h->n_embd;
	p->wide = n * w;
	p->rope = 2 * n * half_rot(m);
	p->route = n * h->n_expert;
	p->pick = n;
	p->used = h->n_expert ? n * h->n_used : 0;
	p->need = (struct device_need){ .cols = w > h->n_ff_exp ? w : h->n_ff_exp, .fine = m->fine,
	    .n = n, .head_dim = h->head_dim, .rows = o->n_choose, .vocab = h->n_vocab,
	    .result = o->n_logits * sizeof(float) * h->n_vocab, .n_head = h->n_head,
	    .n_ctx = o->n_ctx };
	if (h->n_expert) {
		p->need.experts = h->n_expert;
		p->need.used = h->n_used;
		p->need.inner = h->n_ff_exp;
		p->need.outer = h->n_embd;
	}
	p->kv = p->state = 0;
	for (unsigned i = 0; i < h->n_layer; i++)
		if (m->layer[i].mixer == MIX_ATTENTION)
			p->kv += 2 * (uint64_t)o->nseq * o->n_ctx * h->n_kv * head_bytes(m, o);
		else
			p->state += 4 * (uint64_t)o->nseq * (state_floats(h) + conv_floats(h));
	p->scratch = 4 * (2 * p->x + 3 * p->wide + 3 * p->rope + p->route + 3 * p->pick +
	    2 * p->used + p->need.rows * h->n_vocab);
}

void
infer_size(const struct model *m, const struct infer_opts *o, const struct device *d,
    uint64_t *kv, uint64_t *scratch)
{
	struct plan p;

	plan(m, o, &p);
	*kv = p.kv + p.state;
	*scratch = p.scratch + d->op->scratch(d, &p.need);
}

/* The floats, or words, of a context's arrays, in the order of allocate(). */
enum { ARRAYS = 13 };

static void
arrays(const struct plan *p, size_t n[ARRAYS])
{
	const size_t all[ARRAYS] = { p->x, p->x, p->wide, p->wide, p->wide, p->rope, p->rope,
	    p->pick, p->pick, p->route, p->used, p->used, p->need.rows * p->need.vocab };

	for (int i = 0; i < ARRAYS; i++)
		n[i] = all[i];
}

int
infer_plan(const struct model *m, const struct infer_opts *o, struct device *d, uint64_t limit,
    struct device_plan *to, struct err *e)
{
	const struct hparams *h = &m->h;
	struct plan p;
	size_t n[ARRAYS];
	char what[64];

	device_plan_begin(to, d, limit);
	plan(m, o, &p);
	if (infer_place_plan(m, d, o->precise, to, &p.need.types, e) < 0)
		return -1;
	device_plan_reserve(to, &p.need);
	arrays(&p, n);
	for (int i = 0; i < ARRAYS; i++)
		if (n[i] > 0)
			device_plan_add(to, DEVICE_SCRATCH, "activations", n[i] * sizeof(float));
	for (unsigned i = 0; i < h->n_layer; i++) {
		uint64_t rows = (uint64_t)o->nseq * o->n_ctx * h->n_kv * head_bytes(m, o);
		bool kv = m->layer[i].mixer == MIX_ATTENTION;
		uint64_t one = kv ? rows : 4 * (uint64_t)o->nseq * conv_floats(h);
		uint64_t two = kv ? rows : 4 * (uint64_t)o->nseq * state_floats(h);

		snprintf(what, sizeof what, "%s of layer %u", kv ? "keys and values" : "states", i);
		device_plan_add(to, kv ? DEVICE_KV : DEVICE_STATES, what, one);
		device_plan_add(to, kv ? DEVICE_KV : DEVICE_STATES, what, two);
	}
	return 0;
}

unsigned
infer_batch(const struct model *m, const struct infer_opts *o, const struct device *d,
    uint64_t bytes)
{
	struct infer_opts less = *o;
	uint64_t kv, scratch;

	for (;;) {
		infer_size(m, &less, d, &kv, &scratch);
		if (scratch <= bytes || less.n_batch <= 16 || less.n_batch / 2 < o->nseq)
			return less.n_batch;
		less.n_batch /= 2;
	}
}

static void
let_go(struct infer *f, void *p)
{
	if (p)
		f->d->op->free(f->d, p);
}

void
infer_free(struct infer *f)
{
	if (!f)
		return;
	for (unsigned i = 0; f->cache && i < f->m->h.n_layer; i++) {
		let_go(f, f->cache[i].k);
		let_go(f, f->cache[i].v);
		let_go(f, f->cache[i].conv);
		let_go(f, f->cache[i].state);
	}
	let_go(f, f->rows);
	let_go(f, f->x);
	let_go(f, f->h);
	let_go(f, f->a);
	let_go(f, f->b);
	let_go(f, f->c);
	let_go(f, f->cos);
	let_go(f, f->sin);
	let_go(f, f->id);
	let_go(f, f->pick);
	let_go(f, f->route);
	let_go(f, f->expert);
	let_go(f, f->weight);
	free(f->cache);
	free(f->len);
	free(f->at);
	free(f->words);
	free(f->angles);
	free(f->seen);
	free(f);
}

static bool
new_cache(struct infer *f, struct cache *c, const struct layer *l, struct err *e)
{
	const struct hparams *h = &f->m->h;
	const struct device_ops *op = f->d->op;
	size_t rows = (size_t)f->o.nseq * f->o.n_ctx;
	size_t conv = (size_t)f->o.nseq * conv_floats(h), state = (size_t)f->o.nseq * state_floats(h);

	if (l->mixer == MIX_ATTENTION)
		return (c->k = op->alloc(f->d, rows * h->n_kv * f->head_bytes, e)) &&
		    (c->v = op->alloc(f->d, rows * h->n_kv * f->head_bytes, e));
	if (!(c->conv = op->alloc(f->d, conv * sizeof(float), e)) ||
	    !(c->state = op->alloc(f->d, state * sizeof(float), e)))
		return false;
	op->zero(f->d, c->conv, conv * sizeof(float), 1, 0);
	op->zero(f->d, c->state, state * sizeof(float), 1, 0);
	return true;
}

static int
allocate(struct infer *f, const struct plan *p, struct err *e)
{
	const struct hparams *h = &f->m->h;
	void *at[ARRAYS] = { NULL };
	bool all = true;
	size_t n[ARRAYS];

	if (!(f->cache = calloc(h->n_layer, sizeof *f->cache)) ||
	    !(f->len = calloc(f->o.nseq, sizeof *f->len)) ||
	    !(f->at = calloc(f->o.n_batch, sizeof *f->at)) ||
	    !(f->words = calloc(f->o.n_batch, sizeof *f->words)) ||
	    !(f->angles = malloc(p->rope * sizeof(float) + 1)))
		return err_set(e, "out of memory");
	if (f->d->op->reserve(f->d, &p->need, e) < 0)
		return -1;
	arrays(p, n);
	for (int i = 0; i < ARRAYS && all; i++)
		all = n[i] == 0 || (at[i] = f->d->op->alloc(f->d, n[i] * sizeof(float), e));
	f->x = at[0], f->h = at[1], f->a = at[2], f->b = at[3], f->c = at[4];
	f->cos = at[5], f->sin = at[6], f->id = at[7], f->pick = at[8];
	f->route = at[9], f->expert = at[10], f->weight = at[11], f->rows = at[12];
	if (!all)
		return -1;
	f->nrows = p->need.rows;
	for (unsigned i = 0; i < h->n_layer; i++)
		if (!new_cache(f, &f->cache[i], &f->m->layer[i], e))
			return -1;
	return 0;
}

struct infer *
infer_new(const struct model *m, const struct infer_opts *o, struct device *d, struct err *e)
{
	struct infer *f = calloc(1, sizeof *f);
	const struct hparams *h = &m->h;
	struct plan p;

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
	f->d = d;
	f->kv = kept(m, o);
	f->head_bytes = head_bytes(m, o);
	f->wide = widest(m);
	f->rope_ld = half_rot(m);
	if (infer_place(m, d, o->precise, &p.need.types, e) == 0) {
		if (allocate(f, &p, e) == 0)
			return f;
		err_prefix(e, "%" PRIu64 " bytes of keys and values, %" PRIu64 " of scratch",
		    p.kv + p.state, p.scratch);
	}
	infer_free(f);
	return NULL;
}

void
infer_clear(struct infer *f, uint32_t seq)
{
	const struct hparams *h = &f->m->h;
	size_t conv = conv_floats(h), state = state_floats(h);

	f->len[seq] = 0;
	for (unsigned i = 0; i < h->n_layer; i++)
		if (f->m->layer[i].mixer == MIX_DELTANET) {
			f->d->op->zero(f->d, f->cache[i].conv + seq * conv, conv * 4, 1, 0);
			f->d->op->zero(f->d, f->cache[i].state + seq * state, state * 4, 1, 0);
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
	size_t conv = conv_floats(h), state = state_floats(h);

	if (n != f->len[from] && !infer_can_rewind(f))
		return err_set(e, "a state of %" PRIu32 " tokens cannot be cut to %" PRIu32,
		    f->len[from], n);
	for (unsigned i = 0; to != from && i < h->n_layer; i++) {
		struct cache *c = &f->cache[i];

		if (f->m->layer[i].mixer == MIX_ATTENTION) {
			for (unsigned a = 0; a < h->n_kv; a++) {
				size_t dst = infer_cache_at(f, to, a, 0);
				size_t src = infer_cache_at(f, from, a, 0);

				f->d->op->copy(f->d, c->k + dst, c->k + src, n * f->head_bytes);
				f->d->op->copy(f->d, c->v + dst, c->v + src, n * f->head_bytes);
			}
			continue;
		}
		f->d->op->copy(f->d, c->conv + to * conv, c->conv + from * conv, conv * 4);
		f->d->op->copy(f->d, c->state + to * state, c->state + from * state, state * 4);
	}
	f->len[to] = n;
	return 0;
}
