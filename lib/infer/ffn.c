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

	infer_mul_all(f, (struct product[]){
		times(&l->up, l->up_b, f->h, h->n_embd, f->n, f->b, f->wide),
		times(&l->gate, NULL, f->h, h->n_embd, f->n, f->c, f->wide),
	}, h->gated ? 2 : 1);
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

/* The columns that chose expert x. */
static void
gather(const struct infer *f, unsigned x, float *to)
{
	size_t d = f->m->h.n_embd;

	for (size_t i = 0; i < f->n; i++)
		if (f->route[i * f->m->h.n_expert + x] != 0) {
			memcpy(to, f->h + i * d, d * sizeof *to);
			to += d;
		}
}

/* Experts [from, to), whose columns the buffers hold, and onto f->a. */
static void
experts(struct infer *f, const struct experts *e, unsigned from, unsigned to)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd, at = 0, np = 0, n;
	struct product *p = f->product;

	for (unsigned x = from; x < to; x++, at += n) {
		float *in = f->gather + at * d, *up = f->b + at * f->wide, *gate = f->c + at * f->wide;

		if ((n = f->users[x]) == 0)
			continue;
		gather(f, x, in);
		p[np++] = times(&e->up[x], NULL, in, d, n, up, f->wide);
		p[np++] = times(&e->gate[x], NULL, in, d, n, gate, f->wide);
	}
	infer_mul_all(f, p, np);
	crew_run(f->crew, at, 4, activate, &(struct inner){ f, h->n_ff_exp });
	at = np = 0;
	for (unsigned x = from; x < to; x++, at += n)
		if ((n = f->users[x]) > 0)
			p[np++] = times(&e->down[x], NULL, f->b + at * f->wide, f->wide,
			    n, f->gather + at * d, d);
	infer_mul_all(f, p, np);
	at = 0;
	for (unsigned x = from; x < to; x++)
		for (size_t i = 0; i < f->n && f->users[x] > 0; i++) {
			const float *w = &f->route[i * h->n_expert + x];

			if (*w != 0)
				kernels()->f.blend(f->a + i * f->wide, 0, w, 0, 1,
				    f->gather + at++ * d, 0, 0, 1, d);
		}
}

/*
 * Expert by expert, with the columns that chose it, as many experts at a time
 * as there are columns for; each column sums its experts in order of their
 * index, whatever else is in the batch.  (A weight that underflowed to 0
 * counts as not chosen.)
 */
int
infer_moe(struct infer *f, const struct layer *l, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd;

	infer_mul(f, &l->router, NULL, f->h, d, f->n, f->route, h->n_expert);
	if (infer_traced(f, "router", f->route, h->n_expert, h->n_expert, e) < 0)
		return -1;
	memset(f->users, 0, h->n_expert * sizeof *f->users);
	for (size_t i = 0; i < f->n; i++) {
		float *p = f->route + i * h->n_expert;

		choose(h, p);
		for (unsigned x = 0; x < h->n_expert; x++)
			f->users[x] += p[x] != 0;
		memset(f->a + i * f->wide, 0, d * sizeof *f->a);
	}
	for (unsigned x = 0, to; x < h->n_expert; x = to) {
		size_t n = 0;

		for (to = x; to < h->n_expert && n + f->users[to] <= f->o.n_batch; to++)
			n += f->users[to];
		experts(f, &l->exp, x, to);
	}
	return infer_traced(f, "ffn", f->a, d, f->wide, e);
}
