/* SPDX-License-Identifier: MIT */
/* place.c -- weights to where a device finds them, and what it lacks. */
#include <stdlib.h>

#include <apr/size.h>

#include "infer.h"

struct placing {
	const struct model *m;
	struct device	*d;
	bool		 precise;
	bool		*seen;		/* of each part */
};

static struct part *
part_of(const struct model *m, const void *data)
{
	size_t low = 0, high = m->nparts;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if ((uintptr_t)m->part[mid].data <= (uintptr_t)data)
			low = mid;
		else
			high = mid;
	}
	return &m->part[low];
}

/* Of several matrices in one tensor the first brings it all. */
static int
matrix(struct placing *p, const struct mat *w, struct err *e)
{
	struct part *at;
	const char *lacks;

	if (!w->data)
		return 0;
	at = part_of(p->m, w->data);
	if ((lacks = p->d->op->lacks(p->d, w, p->precise)))
		return err_set(e, "%s: %s cannot multiply %s", at->t->name, p->d->name, lacks);
	if (p->seen[at - p->m->part])
		return 0;
	p->seen[at - p->m->part] = true;
	if (p->d->op->place(p->d, at->data, (size_t)at->t->bytes, e) < 0)
		return err_prefix(e, "%s", at->t->name);
	return 0;
}

/* Those of one tensor follow one another as it is; those of many are to. */
static int
experts(struct placing *p, const struct mat *w, struct err *e)
{
	unsigned n = p->m->h.n_expert;
	struct part *first = part_of(p->m, w->data), *at;
	const char *lacks = p->d->op->lacks_experts(p->d, w, n);
	const void **data;
	int r;

	if (lacks)
		return err_set(e, "%s: %s cannot take %s", first->t->name, p->d->name, lacks);
	if (n < 2 || part_of(p->m, w[1].data) == first)
		return matrix(p, w, e);
	if ((lacks = p->d->op->lacks(p->d, w, p->precise)))
		return err_set(e, "%s: %s cannot multiply %s", first->t->name, p->d->name, lacks);
	if (!(data = malloc(n * sizeof *data)))
		return err_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		at = part_of(p->m, w[i].data);
		data[i] = at->data;
		p->seen[at - p->m->part] = true;
	}
	r = p->d->op->place_all(p->d, data, n, (size_t)first->t->bytes, e);
	free(data);
	return r < 0 ? err_prefix(e, "%s", first->t->name) : 0;
}

static int
vector(struct placing *p, const float *v, size_t n, struct err *e)
{
	return v ? p->d->op->place(p->d, v, n * sizeof *v, e) : 0;
}

static int
attention(struct placing *p, const struct layer *l, struct err *e)
{
	const struct hparams *h = &p->m->h;
	size_t q = (size_t)h->n_head * h->head_dim, k = (size_t)h->n_kv * h->head_dim;
	size_t qn = h->qk_whole ? q : h->head_dim, kn = h->qk_whole ? k : h->head_dim;

	return matrix(p, &l->q, e) < 0 || matrix(p, &l->k, e) < 0 || matrix(p, &l->v, e) < 0 ||
	    matrix(p, &l->o, e) < 0 || vector(p, l->q_b, h->q_gate ? 2 * q : q, e) < 0 ||
	    vector(p, l->k_b, k, e) < 0 || vector(p, l->v_b, k, e) < 0 ||
	    vector(p, l->o_b, h->n_embd, e) < 0 || vector(p, l->q_norm, qn, e) < 0 ||
	    vector(p, l->k_norm, kn, e) < 0 ? -1 : 0;
}

static int
deltanet(struct placing *p, const struct layer *l, struct err *e)
{
	const struct hparams *h = &p->m->h;
	size_t channels = 2 * (size_t)h->nk * h->dk + (size_t)h->nv * h->dv;

	return matrix(p, &l->qkv, e) < 0 || matrix(p, &l->z, e) < 0 ||
	    matrix(p, &l->alpha, e) < 0 || matrix(p, &l->beta, e) < 0 ||
	    matrix(p, &l->out, e) < 0 || vector(p, l->conv, channels * h->n_conv, e) < 0 ||
	    vector(p, l->a, h->nv, e) < 0 || vector(p, l->dt_b, h->nv, e) < 0 ||
	    vector(p, l->ssm_norm, h->dv, e) < 0 ? -1 : 0;
}

static int
inner(struct placing *p, const struct layer *l, struct err *e)
{
	const struct hparams *h = &p->m->h;

	if (matrix(p, &l->gate, e) < 0 || matrix(p, &l->up, e) < 0 || matrix(p, &l->down, e) < 0 ||
	    matrix(p, &l->router, e) < 0 || vector(p, l->up_b, h->n_ff, e) < 0 ||
	    vector(p, l->down_b, h->n_embd, e) < 0)
		return -1;
	return !l->router.data ? 0 : experts(p, l->exp.gate, e) < 0 ||
	    experts(p, l->exp.up, e) < 0 || experts(p, l->exp.down, e) < 0 ? -1 : 0;
}

static int
place(struct placing *p, struct err *e)
{
	const struct model *m = p->m;
	size_t d = m->h.n_embd;

	if (matrix(p, &m->output, e) < 0 || matrix(p, &m->embd, e) < 0 ||
	    matrix(p, &m->pos_embd, e) < 0 || vector(p, m->out_norm, d, e) < 0 ||
	    vector(p, m->out_norm_b, d, e) < 0)
		return -1;
	for (unsigned i = 0; i < m->h.n_layer; i++) {
		const struct layer *l = &m->layer[i];

		if (vector(p, l->attn_norm, d, e) < 0 || vector(p, l->attn_norm_b, d, e) < 0 ||
		    vector(p, l->post_attn_norm, d, e) < 0 || vector(p, l->ffn_norm, d, e) < 0 ||
		    vector(p, l->ffn_norm_b, d, e) < 0 || vector(p, l->post_ffn_norm, d, e) < 0 ||
		    (l->mixer == MIX_ATTENTION ? attention(p, l, e) : deltanet(p, l, e)) < 0 ||
		    inner(p, l, e) < 0)
			return -1;
	}
	return 0;
}

int
infer_place(const struct model *m, struct device *d, bool precise, struct err *e)
{
	struct placing p = { m, d, precise, calloc(m->nparts + 1, sizeof *p.seen) };
	int r;

	if (!p.seen)
		return err_set(e, "out of memory");
	r = place(&p, e);
	free(p.seen);
	return r;
}
