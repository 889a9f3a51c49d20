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
#include <apr/kernel.h>

#include "infer.h"

/* A head's key or value into the cache, and those of some positions, which lie
 * behind one another, back as f32. */
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
	size_t			 heads;		/* of a group that are taken together */
};

/*
 * Queries that share keys: heads of one group, in columns that follow one
 * another.  Query i is column first + i / heads, head + i % heads.
 */
struct tile {
	const struct attend *a;
	size_t		 first, cols, head, heads;
	uint32_t	 from[ATTEND_QUERIES], to[ATTEND_QUERIES];	/* keys of this block */
	float		 max[ATTEND_QUERIES], sum[ATTEND_QUERIES];
	float		*k, *v;		/* KEY_BLOCK x hd */
	float		*s, *acc;	/* queries x KEY_BLOCK, queries x hd */
};

/* Floats that a tile needs. */
size_t
infer_attention_work(size_t hd)
{
	return 2 * KEY_BLOCK * hd + ATTEND_QUERIES * (KEY_BLOCK + hd);
}

static const float *
query(const struct tile *t, size_t i)
{
	const struct attend *a = t->a;

	return a->q + (t->first + i / t->heads) * a->ldq + (t->head + i % t->heads) * a->step;
}

/* Scores of all queries against keys [from, to) of the block. */
static void
score(struct tile *t, uint32_t from, uint32_t to)
{
	const struct attend *a = t->a;
	size_t hd = a->f->m->h.head_dim;

	if (t->heads >= 4 || t->cols == 1) {
		for (size_t c = 0; c < t->cols; c++)
			kernels()->f.dots(t->s + c * t->heads * KEY_BLOCK + from, KEY_BLOCK,
			    t->k + from * hd, hd, to - from, query(t, c * t->heads), a->step,
			    t->heads, hd);
		return;
	}
	for (size_t h = 0; h < t->heads; h++)
		kernels()->f.dots(t->s + h * KEY_BLOCK + from, t->heads * KEY_BLOCK,
		    t->k + from * hd, hd, to - from, query(t, h), a->ldq, t->cols, hd);
}

/* acc of queries [i, i + n), whose keys mostly are the same. */
static void
blend(struct tile *t, size_t i, size_t n)
{
	const struct kernel_floats *f = &kernels()->f;
	size_t hd = t->a->f->m->h.head_dim;
	uint32_t from = t->from[i], to = t->to[i];

	for (size_t j = i + 1; j < i + n; j++) {
		if (t->from[j] > from)
			from = t->from[j];
		if (t->to[j] < to)
			to = t->to[j];
	}
	if (from >= to)
		from = to = t->from[i];
	for (size_t j = i; j < i + n && n > 1; j++)
		if (t->from[j] < from)
			f->blend(t->acc + j * hd, hd, t->s + j * KEY_BLOCK, KEY_BLOCK, 1, t->v, hd,
			    t->from[j], from < t->to[j] ? from : t->to[j], hd);
	f->blend(t->acc + i * hd, hd, t->s + i * KEY_BLOCK, KEY_BLOCK, n, t->v, hd, from, to, hd);
	for (size_t j = i; j < i + n && n > 1; j++)
		if (t->to[j] > to)
			f->blend(t->acc + j * hd, hd, t->s + j * KEY_BLOCK, KEY_BLOCK, 1, t->v, hd,
			    to > t->from[j] ? to : t->from[j], t->to[j], hd);
}

/* What the blocks before gave, and this one's maximum, sum and values. */
static void
join(struct tile *t, size_t i, float m, float l)
{
	const struct attend *a = t->a;
	size_t hd = a->f->m->h.head_dim;
	float *acc = t->acc + i * hd, c0 = 1, c1 = 1;
	float *out = a->out + (t->first + i / t->heads) * a->ldo + (t->head + i % t->heads) * hd;

	if (t->sum[i] == 0) {
		t->max[i] = m;
		t->sum[i] = l;
		memcpy(out, acc, hd * sizeof *out);
		return;
	}
	if (m > t->max[i]) {
		c0 = fm_exp(t->max[i] - m);
		t->max[i] = m;
	} else {
		c1 = fm_exp(m - t->max[i]);
	}
	t->sum[i] = fmaf(l, c1, t->sum[i] * c0);
	for (size_t d = 0; d < hd; d++)
		out[d] = fmaf(acc[d], c1, out[d] * c0);
}

/* Keys [base, base + KEY_BLOCK), as far as the queries see them. */
static void
block(struct tile *t, uint32_t base, const unsigned char *k, const unsigned char *v)
{
	const struct attend *a = t->a;
	const struct hparams *h = &a->f->m->h;
	size_t hd = h->head_dim, n = t->cols * t->heads;
	uint32_t from = KEY_BLOCK, to = 0;
	float max[ATTEND_QUERIES], sum[ATTEND_QUERIES];

	for (size_t i = 0; i < n; i++) {
		uint32_t pos = a->f->tok[t->first + i / t->heads].pos, window = a->l->window;
		uint32_t low = window && pos >= window ? pos - window + 1 : 0;

		t->from[i] = low < base ? 0 : low - base < KEY_BLOCK ? low - base : KEY_BLOCK;
		t->to[i] = pos < base ? 0 : pos - base < KEY_BLOCK ? pos - base + 1 : KEY_BLOCK;
		if (t->from[i] >= t->to[i])
			continue;
		if (t->from[i] < from)
			from = t->from[i];
		if (t->to[i] > to)
			to = t->to[i];
	}
	if (from >= to)
		return;
	get(a->f, t->k + from * hd, k + (base + from) * a->f->head_bytes, (to - from) * hd);
	get(a->f, t->v + from * hd, v + (base + from) * a->f->head_bytes, (to - from) * hd);
	score(t, from, to);
	for (size_t i = 0; i < n; i++)
		if (t->from[i] < t->to[i])
			max[i] = kernels()->f.weigh(t->s + i * KEY_BLOCK, t->from[i], t->to[i],
			    h->attn_scale, h->attn_cap, &sum[i]);
	memset(t->acc, 0, n * hd * sizeof *t->acc);
	for (size_t i = 0; i < n; i += 4)
		blend(t, i, n - i < 4 ? n - i : 4);
	for (size_t i = 0; i < n; i++)
		if (t->from[i] < t->to[i])
			join(t, i, max[i], sum[i]);
}

/* Items are (run of columns, part of a group of heads); runs begin at pick[]. */
static void
attend(void *arg, size_t from, size_t to, unsigned who)
{
	const struct attend *a = arg;
	struct infer *f = a->f;
	const struct hparams *h = &f->m->h;
	size_t hd = h->head_dim, per = h->n_head / h->n_kv;
	size_t parts = h->n_head / a->heads;
	struct tile t = { .a = a, .heads = a->heads, .k = f->work + who * f->work_floats };

	t.v = t.k + KEY_BLOCK * hd;
	t.s = t.v + KEY_BLOCK * hd;
	t.acc = t.s + ATTEND_QUERIES * KEY_BLOCK;
	for (size_t i = from; i < to; i++) {
		const struct infer_token *first, *last;
		size_t base, n;
		uint32_t low;

		t.first = f->pick[i / parts];
		t.cols = f->pick[i / parts + 1] - t.first;
		t.head = i % parts * a->heads;
		n = t.cols * t.heads;
		first = &f->tok[t.first];
		last = first + t.cols - 1;
		base = infer_cache_at(f, first->seq, t.head / per, 0);
		memset(t.sum, 0, n * sizeof *t.sum);
		low = a->l->window && first->pos >= a->l->window ? first->pos - a->l->window + 1 : 0;
		for (uint32_t b = low / KEY_BLOCK * KEY_BLOCK; b <= last->pos; b += KEY_BLOCK)
			block(&t, b, a->c->k + base, a->c->v + base);
		for (size_t k = 0; k < n; k++) {
			float *out = a->out + (t.first + k / t.heads) * a->ldo +
			    (t.head + k % t.heads) * hd;

			for (size_t d = 0; d < hd; d++)
				out[d] /= t.sum[k];
		}
	}
}

/* Columns of one sequence in runs, heads in parts: as many as threads like,
 * which no result shows. */
static void
attend_all(struct attend *a)
{
	struct infer *f = a->f;
	const struct hparams *h = &f->m->h;
	size_t per = h->n_head / h->n_kv, want = 4 * (size_t)crew_size(f->crew), most, n = 0;

	a->heads = per;
	while (a->heads > ATTEND_QUERIES || (a->heads % 2 == 0 && f->n * h->n_head / a->heads < want))
		a->heads = a->heads % 2 ? 1 : a->heads / 2;
	most = ATTEND_QUERIES / a->heads;
	if (most > f->n * (h->n_head / a->heads) / want)
		most = f->n * (h->n_head / a->heads) / want;
	if (most == 0)
		most = 1;
	for (size_t i = 0; i < f->n; i++)
		if (n == 0 || i - f->pick[n - 1] == most || f->tok[i].seq != f->tok[i - 1].seq)
			f->pick[n++] = (uint32_t)i;
	f->pick[n] = (uint32_t)f->n;
	crew_run(f->crew, n * (h->n_head / a->heads), 1, attend, a);
}

struct remember {
	struct infer	*f;
	struct cache	*c;
	const float	*k, *v;
	size_t		 ld;
};

static void
remember(void *arg, size_t from, size_t to, unsigned who)
{
	const struct remember *m = arg;
	struct infer *f = m->f;
	const struct hparams *h = &f->m->h;

	(void)who;
	for (size_t i = from; i < to; i++)
		for (size_t a = 0; a < h->n_kv; a++) {
			size_t at = infer_cache_at(f, f->tok[i].seq, a, f->tok[i].pos);

			put(f, m->c->k + at, m->k + i * m->ld + a * h->head_dim, h->head_dim);
			put(f, m->c->v + at, m->v + i * m->ld + a * h->head_dim, h->head_dim);
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
	struct attend a = { f, l, c, q, out, f->wide, f->wide, step, 1 };

	infer_mul_all(f, (struct product[]){
		times(&l->q, l->q_b, f->h, h->n_embd, f->n, q, f->wide),
		times(&l->k, l->k_b, f->h, h->n_embd, f->n, k, f->wide),
		times(&l->v, l->v_b, f->h, h->n_embd, f->n, v, f->wide),
	}, 3);
	if (infer_traced(f, "q", q, h->n_head * step, f->wide, e) < 0 ||
	    infer_traced(f, "k", k, h->n_kv * hd, f->wide, e) < 0 ||
	    infer_traced(f, "v", v, h->n_kv * hd, f->wide, e) < 0)
		return -1;
	head_norms(f, l->q_norm, q, h->n_head, step);
	head_norms(f, l->k_norm, k, h->n_kv, hd);
	if (h->q_gate)
		for (unsigned i = 0; i < h->n_head; i++)
			infer_rope(f, l->rope, q + i * step, f->wide, 1);
	else
		infer_rope(f, l->rope, q, f->wide, h->n_head);
	infer_rope(f, l->rope, k, f->wide, h->n_kv);
	if (infer_traced(f, "q_rope", q, h->n_head * step, f->wide, e) < 0 ||
	    infer_traced(f, "k_rope", k, h->n_kv * hd, f->wide, e) < 0)
		return -1;
	crew_run(f->crew, f->n, 4, remember, &(struct remember){ f, c, k, v, f->wide });
	attend_all(&a);
	if (h->q_gate)
		gate(f, out, q, f->wide);
	if (infer_traced(f, "heads", out, nq, f->wide, e) < 0)
		return -1;
	infer_mul(f, &l->o, l->o_b, out, f->wide, f->n, f->a, f->wide);
	return infer_traced(f, "attn", f->a, h->n_embd, f->wide, e);
}
