/* SPDX-License-Identifier: MIT */
/* ffn.c -- the dense half of a layer, and the mixture of experts. */
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

int
infer_moe(struct infer *f, const struct layer *l, struct err *e)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd;

	infer_mul(f, &l->router, NULL, f->h, d, f->n, f->route, h->n_expert);
	if (infer_traced(f, "router", f->route, h->n_expert, h->n_expert, e) < 0)
		return -1;
	f->d->op->route(f->d, &(struct device_route){ .p = f->route, .n = f->n,
	    .n_expert = h->n_expert, .n_used = h->n_used, .norm = h->norm_topk,
	    .expert = f->expert, .weight = f->weight });
	f->d->op->experts(f->d, &(struct device_experts){ .gate = l->exp.gate, .up = l->exp.up,
	    .down = l->exp.down, .n = f->n, .n_expert = h->n_expert, .n_used = h->n_used,
	    .expert = f->expert, .weight = f->weight, .x = f->h, .ldx = d, .y = f->a,
	    .ldy = f->wide, .curve = h->gelu ? KERNEL_GELU : KERNEL_SILU,
	    .precise = f->o.precise });
	return infer_traced(f, "ffn", f->a, d, f->wide, e);
}
