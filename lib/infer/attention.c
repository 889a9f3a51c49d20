/* SPDX-License-Identifier: MIT */
/*
 * attention.c -- queries against the keys of their sequence.
 *
 * Keys are taken in blocks of 256 at fixed positions; each block gives its
 * largest score, the sum of its weights and its weighted values, and blocks
 * are joined in order.  So a prompt may be cut anywhere.
 */
#include <math.h>
#include <string.h>

#include <apr/fmath.h>

#include "infer.h"

/* A head's key or value into the cache, and back as f32. */
static void
put(const struct infer *f, unsigned char *dst, const float *x, size_t n)
{
	const struct type *t = f->o.kv == KV_F32 ? &type_f32 : f->o.kv == KV_F16 ? &type_f16 :
	    type_by_ggml(8);

	type_encoder(t, EFFORT_REFERENCE)(dst, x, n, NULL);
}

static void
get(const struct infer *f, float *dst, const unsigned char *src, size_t n)
{
	const struct type *t = f->o.kv == KV_F32 ? &type_f32 : f->o.kv == KV_F16 ? &type_f16 :
	    type_by_ggml(8);

	type_decoder(t)(dst, src, n);
}

struct attend {
	struct infer		*f;
	const struct layer	*l;
	const struct cache	*c;
	const float		*q;
	float			*out;
	size_t			 ldq, ldo, step;	/* from one query head to the next */
};

/* One query head against keys [from, to), which lie in one block; joined
 * with what the blocks before gave: the maximum, sum, and out. */
static void
block(const struct attend *a, const float *q, const unsigned char *k, const unsigned char *v,
    size_t row, uint32_t from, uint32_t to, float *max, float *sum, float *out)
{
	const struct hparams *h = &a->f->m->h;
	float p[KEY_BLOCK], part[16] = { 0 }, one[1024], acc[1024], m = -INFINITY, l, c0, c1;
	size_t hd = h->head_dim;

	for (uint32_t j = from; j < to; j++) {
		float s;

		get(a->f, one, k + j * row, hd);
		s = dot_f32(q, one, hd) * h->attn_scale;
		if (h->attn_cap != 0)
			s = h->attn_cap * fm_tanh(s / h->attn_cap);
		p[j % KEY_BLOCK] = s;
		if (s > m)
			m = s;
	}
	memset(acc, 0, hd * sizeof *acc);
	for (uint32_t j = from; j < to; j++) {
		float w = fm_exp(p[j % KEY_BLOCK] - m);

		part[j % 16] += w;
		get(a->f, one, v + j * row, hd);
		for (size_t d = 0; d < hd; d++)
			acc[d] = fmaf(w, one[d], acc[d]);
	}
	l = sum_f32(part, 16);
	if (*sum == 0) {
		*max = m;
		*sum = l;
		memcpy(out, acc, hd * sizeof *out);
		return;
	}
	if (m > *max) {
		c0 = fm_exp(*max - m);
		c1 = 1;
		*max = m;
	} else {
		c0 = 1;
		c1 = fm_exp(m - *max);
	}
	*sum = fmaf(l, c1, *sum * c0);
	for (size_t d = 0; d < hd; d++)
		out[d] = fmaf(acc[d], c1, out[d] * c0);
}

/* Items are (column, query head). */
static void
attend(void *arg, size_t from, size_t to, unsigned who)
{
	const struct attend *a = arg;
	struct infer *f = a->f;
	const struct hparams *h = &f->m->h;
	size_t row = f->head_bytes * h->n_kv, per = h->n_head / h->n_kv;

	(void)who;
	for (size_t i = from; i < to; i++) {
		size_t col = i / h->n_head, head = i % h->n_head;
		const struct infer_token *t = &f->tok[col];
		size_t base = (size_t)t->seq * f->o.n_ctx * row + head / per * f->head_bytes;
		const float *q = a->q + col * a->ldq + head * a->step;
		float *out = a->out + col * a->ldo + head * h->head_dim;
		float max = 0, sum = 0;
		uint32_t first = a->l->window && t->pos >= a->l->window ?
		    t->pos - a->l->window + 1 : 0;

		for (uint32_t j = first, end; j <= t->pos; j = end) {
			end = (j / KEY_BLOCK + 1) * KEY_BLOCK;
			if (end > t->pos + 1)
				end = t->pos + 1;
			block(a, q, a->c->k + base, a->c->v + base, row, j, end, &max, &sum, out);
		}
		for (size_t d = 0; d < h->head_dim; d++)
			out[d] /= sum;
	}
}

static void
remember(struct infer *f, struct cache *c, const float *k, const float *v, size_t ld)
{
	const struct hparams *h = &f->m->h;

	for (size_t i = 0; i < f->n; i++)
		for (size_t a = 0; a < h->n_kv; a++) {
			size_t at = (((size_t)f->tok[i].seq * f->o.n_ctx + f->tok[i].pos) *
			    h->n_kv + a) * f->head_bytes;

			put(f, c->k + at, k + i * ld + a * h->head_dim, h->head_dim);
			put(f, c->v + at, v + i * ld + a * h->head_dim, h->head_dim);
		}
}

/* Half of q's rows, a head at a time, say how much of its result counts. */
static void
gate(struct infer *f, float *out, const float *q, size_t ld)
{
	const struct hparams *h = &f->m->h;
	size_t hd = h->head_dim;

	for (size_t c = 0; c < f->n; c++)
		for (size_t a = 0; a < h->n_head; a++)
			for (size_t d = 0; d < hd; d++)
				out[c * ld + a * hd + d] *=
				    fm_sigmoid(q[c * ld + (2 * a + 1) * hd + d]);
}

static void
head_norms(struct infer *f, const float *w, float *x, unsigned heads, size_t step)
{
	const struct hparams *h = &f->m->h;
	size_t hd = h->head_dim;

	if (!w)
		return;
	if (h->qk_whole)
		infer_norm(f, w, NULL, x, f->wide, x, f->wide, f->n, heads * hd, heads * hd);
	else if (step == hd)
		infer_norm(f, w, NULL, x, f->wide, x, f->wide, f->n, heads * hd, hd);
	else
		for (unsigned a = 0; a < heads; a++)
			infer_norm(f, w, NULL, x + a * step, f->wide, x + a * step, f->wide,
			    f->n, hd, hd);
}

int
infer_attention(struct infer *f, const struct layer *l, struct cache *c, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t hd = h->head_dim, step = h->q_gate ? 2 * hd : hd, nq = h->n_head * hd;
	float *q = f->a, *k = f->b, *v = f->b + h->n_kv * hd, *out = f->c;
	struct attend a = { f, l, c, q, out, f->wide, f->wide, step };

	infer_mul(f, &l->q, l->q_b, f->h, h->n_embd, f->n, q, f->wide);
	infer_mul(f, &l->k, l->k_b, f->h, h->n_embd, f->n, k, f->wide);
	infer_mul(f, &l->v, l->v_b, f->h, h->n_embd, f->n, v, f->wide);
	head_norms(f, l->q_norm, q, h->n_head, step);
	head_norms(f, l->k_norm, k, h->n_kv, hd);
	if (h->q_gate)
		for (unsigned i = 0; i < h->n_head; i++)
			infer_rope(f, l->rope, q + i * step, f->wide, 1);
	else
		infer_rope(f, l->rope, q, f->wide, h->n_head);
	infer_rope(f, l->rope, k, f->wide, h->n_kv);
	if (infer_traced(f, "q", q, h->n_head * step, f->wide, e) < 0 ||
	    infer_traced(f, "k", k, h->n_kv * hd, f->wide, e) < 0 ||
	    infer_traced(f, "v", v, h->n_kv * hd, f->wide, e) < 0)
		return -1;
	remember(f, c, k, v, f->wide);
	crew_run(f->crew, f->n * h->n_head, 4, attend, &a);
	if (h->q_gate)
		gate(f, out, q, f->wide);
	if (infer_traced(f, "heads", out, nq, f->wide, e) < 0)
		return -1;
	infer_mul(f, &l->o, l->o_b, out, f->wide, f->n, f->a, f->wide);
	return infer_traced(f, "attn", f->a, h->n_embd, f->wide, e);
}
