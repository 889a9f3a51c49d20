/* SPDX-License-Identifier: MIT */
/* ffn.c -- the dense half of a layer, and the mixture of experts. */
#include <math.h>
#include <string.h>

#include <apr/fmath.h>

#include "infer.h"

/* b = act(c) * b, or act(b) where there is no gate. */
static void
activate(struct infer *f, size_t n, size_t width, const struct mat *next)
{
	const struct hparams *h = &f->m->h;

	f->d->op->activate(f->d, &(struct device_activate){ .y = f->b,
	    .gate = h->gated ? f->c : NULL, .ld = f->wide, .n = n, .width = width,
	    .curve = h->gelu ? KERNEL_GELU : KERNEL_SILU, .next = next });
}

int
infer_ffn(struct infer *f, const struct layer *l, struct err *e)
{
	const struct hparams *h = &f->m->h;

	infer_mul_all(f, (struct device_product[]){
		times(&l->up, l->up_b, f->h, h->n_embd, f->n, f->b, f->wide),
		times(&l->gate, NULL, f->h, h->n_embd, f->n, f->c, f->wide),
	}, h->gated ? 2 : 1);
	if (infer_traced(f, "ffn_up", f->b, h->n_ff, f->wide, e) < 0 ||
	    (h->gated && infer_traced(f, "ffn_gate", f->c, h->n_ff, f->wide, e) < 0))
		return -1;
	activate(f, f->n, h->n_ff, &l->down);
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

/* Experts [from, to), whose columns the buffers hold, and onto f->a. */
static void
experts(struct infer *f, const struct experts *e, unsigned from, unsigned to)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd, n = 0, np = 0;
	struct device_product *p = f->product;

	for (unsigned x = from; x < to; x++)
		for (size_t i = 0; i < f->n && f->users[x] > 0; i++) {
			float w = f->route_host[i * h->n_expert + x];

			if (w == 0)
				continue;
			f->pick[n] = (uint32_t)i;
			f->weight[n++] = w;
		}
	f->d->op->gather(f->d, &(struct device_gather){ .y = f->gather, .x = f->h, .ldy = d,
	    .ldx = d, .n = n, .width = d, .from = f->pick });
	n = 0;
	for (unsigned x = from; x < to; n += f->users[x++]) {
		float *in = f->gather + n * d, *up = f->b + n * f->wide, *gate = f->c + n * f->wide;

		if (f->users[x] == 0)
			continue;
		p[np++] = times(&e->up[x], NULL, in, d, f->users[x], up, f->wide);
		p[np++] = times(&e->gate[x], NULL, in, d, f->users[x], gate, f->wide);
	}
	infer_mul_all(f, p, np);
	activate(f, n, h->n_ff_exp, NULL);
	n = np = 0;
	for (unsigned x = from; x < to; n += f->users[x++])
		if (f->users[x] > 0)
			p[np++] = times(&e->down[x], NULL, f->b + n * f->wide, f->wide,
			    f->users[x], f->gather + n * d, d);
	infer_mul_all(f, p, np);
	f->d->op->scatter(f->d, &(struct device_scatter){ .y = f->a, .x = f->gather,
	    .ldy = f->wide, .ldx = d, .n = n, .width = d, .to = f->pick, .w = f->weight });
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
	if (infer_traced(f, "router", f->route, h->n_expert, h->n_expert, e) < 0 ||
	    f->d->op->read(f->d, f->route_host, f->route, f->n * h->n_expert * sizeof(float), e) < 0)
		return -1;
	memset(f->users, 0, h->n_expert * sizeof *f->users);
	for (size_t i = 0; i < f->n; i++) {
		float *p = f->route_host + i * h->n_expert;

		choose(h, p);
		for (unsigned x = 0; x < h->n_expert; x++)
			f->users[x] += p[x] != 0;
	}
	f->d->op->zero(f->d, f->a, d * sizeof *f->a, f->n, f->wide * sizeof *f->a);
	for (unsigned x = 0, to; x < h->n_expert; x = to) {
		size_t n = 0;

		for (to = x; to < h->n_expert && n + f->users[to] <= f->o.n_batch; to++)
			n += f->users[to];
		experts(f, &l->exp, x, to);
	}
	return infer_traced(f, "ffn", f->a, d, f->wide, e);
}
