/* SPDX-License-Identifier: MIT */
/* ffn.c -- the dense half of a layer, and the mixture of experts. */
#include <math.h>
#include <string.h>

#include <apr/fmath.h>
#include <apr/kernel.h>

#include "infer.h"

struct inner {
	struct infer	*f;
	size_t		 width;
};

/* b = act(c) * b, or act(b) where there is no gate. */
static void
activate(void *arg, size_t from, size_t to, unsigned who)
{
	const struct inner *a = arg;
	const struct infer *f = a->f;
	const struct hparams *h = &f->m->h;

	(void)who;
	for (size_t i = from; i < to; i++)
		kernels()->f.activate(f->b + i * f->wide, h->gated ? f->c + i * f->wide : NULL,
		    a->width, h->gelu ? KERNEL_GELU : KERNEL_SILU);
}

int
infer_ffn(struct infer *f, const struct layer *l, struct err *e)
{
	const struct hparams *h = &f->m->h;

	infer_mul(f, &l->up, l->up_b, f->h, h->n_embd, f->n, f->b, f->wide);
	if (h->gated)
		infer_mul(f, &l->gate, NULL, f->h, h->n_embd, f->n, f->c, f->wide);
	if (infer_traced(f, "ffn_up", f->b, h->n_ff, f->wide, e) < 0 ||
	    (h->gated && infer_traced(f, "ffn_gate", f->c, h->n_ff, f->wide, e) < 0))
		return -1;
	crew_run(f->crew, f->n, 4, activate, &(struct inner){ f, h->n_ff });
	if (infer_traced(f, "ffn_act", f->b, h->n_ff, f->wide, e) < 0)
		return -1;
	infer_mul(f, &l->down, l->down_b, f->b, f->wide, f->n, f->a, f->wide);
	return infer_traced(f, "ffn", f->a, h->n_embd, f->wide, e);
}

/* Softmax over all experts; the n_used largest (of equals the first), their
 * weights by index in place, 0 for the others. */
static void
choose(const struct hparams *h, float *p)
{
	float max = p[0], sum, kept = 0;
	bool used[1024] = { false };

	for (unsigned i = 1; i < h->n_expert; i++)
		if (p[i] > max)
			max = p[i];
	for (unsigned i = 0; i < h->n_expert; i++)
		p[i] = fm_exp(p[i] - max);
	sum = sum_f32(p, h->n_expert);
	for (unsigned i = 0; i < h->n_expert; i++)
		p[i] /= sum;
	for (unsigned k = 0; k < h->n_used; k++) {
		unsigned best = 0;
		bool any = false;

		for (unsigned i = 0; i < h->n_expert; i++)
			if (!used[i] && (!any || p[i] > p[best])) {
				best = i;
				any = true;
			}
		used[best] = true;
		kept += p[best];
	}
	for (unsigned i = 0; i < h->n_expert; i++)
		p[i] = !used[i] ? 0 : h->norm_topk ? p[i] / kept : p[i];
}

/*
 * Expert by expert, with the columns that chose it; each column sums its
 * experts in order of their index, whatever else is in the batch.  (A weight
 * that underflowed to 0 counts as not chosen.)
 */
int
infer_moe(struct infer *f, const struct layer *l, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd;

	infer_mul(f, &l->router, NULL, f->h, d, f->n, f->route, h->n_expert);
	if (infer_traced(f, "router", f->route, h->n_expert, h->n_expert, e) < 0)
		return -1;
	for (size_t i = 0; i < f->n; i++)
		choose(h, f->route + i * h->n_expert);
	for (size_t i = 0; i < f->n; i++)
		memset(f->a + i * f->wide, 0, d * sizeof *f->a);
	for (unsigned x = 0; x < h->n_expert; x++) {
		size_t n = 0;

		for (size_t i = 0; i < f->n; i++)
			if (f->route[i * h->n_expert + x] != 0) {
				memcpy(f->gather + n * d, f->h + i * d, d * sizeof *f->h);
				f->pick[n++] = (uint32_t)i;
			}
		if (n == 0)
			continue;
		infer_mul(f, &l->exp.up[x], NULL, f->gather, d, n, f->b, f->wide);
		infer_mul(f, &l->exp.gate[x], NULL, f->gather, d, n, f->c, f->wide);
		crew_run(f->crew, n, 4, activate, &(struct inner){ f, h->n_ff_exp });
		infer_mul(f, &l->exp.down[x], NULL, f->b, f->wide, n, f->gather, d);
		for (size_t i = 0; i < n; i++) {
			float w = f->route[f->pick[i] * h->n_expert + x];
			float *y = f->a + f->pick[i] * f->wide, *g = f->gather + i * d;

			for (size_t k = 0; k < d; k++)
				y[k] = fmaf(w, g[k], y[k]);
		}
	}
	return infer_traced(f, "ffn", f->a, d, f->wide, e);
}
