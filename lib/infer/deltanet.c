/* SPDX-License-Identifier: MIT */
/* deltanet.c -- the half of a layer that is Gated DeltaNet. */
#include "infer.h"

int
infer_deltanet(struct infer *f, const struct layer *l, struct cache *c, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd, keys = (size_t)h->nk * h->dk, vals = (size_t)h->nv * h->dv;

	infer_mul_all(f, (struct device_product[]){
		times(&l->qkv, NULL, f->h, d, f->n, f->a, f->wide),
		times(&l->alpha, NULL, f->h, d, f->n, f->c, f->wide),
		times(&l->beta, NULL, f->h, d, f->n, f->c + h->nv, f->wide),
	}, 3);
	if (infer_traced(f, "qkv", f->a, 2 * keys + vals, f->wide, e) < 0)
		return -1;
	f->d->op->delta(f->d, &(struct device_delta){ .x = f->a, .ld = f->wide, .n = f->n,
	    .n_conv = h->n_conv, .nk = h->nk, .nv = h->nv, .dk = h->dk, .dv = h->dv,
	    .filter = l->conv, .past = c->conv, .state = c->state, .gates = f->c,
	    .rate = l->a, .bias = l->dt_b, .out = f->b, .ldg = f->wide, .ldo = f->wide,
	    .mod = h->v_mod });
	if (infer_traced(f, "heads", f->b, vals, f->wide, e) < 0)
		return -1;
	infer_norm(f, l->ssm_norm, f->b, vals, h->dv);
	infer_mul(f, &l->z, NULL, f->h, d, f->n, f->c, f->wide);
	f->d->op->activate(f->d, &(struct device_activate){ .y = f->b, .gate = f->c, .ld = f->wide,
	    .n = f->n, .width = vals, .curve = KERNEL_SILU,
	    .next = &l->out });
	infer_mul(f, &l->out, NULL, f->b, f->wide, f->n, f->a, f->wide);
	return infer_traced(f, "attn", f->a, d, f->wide, e);
}
