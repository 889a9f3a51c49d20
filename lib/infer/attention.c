/* SPDX-License-Identifier: MIT */
/* attention.c -- queries against the keys of their sequence. */
#include "infer.h"

int
infer_attention(struct infer *f, const struct layer *l, struct cache *c, struct err *e)
{
	const struct hparams *h = &f->m->h;
	const struct device_ops *op = f->d->op;
	size_t hd = h->head_dim, step = h->q_gate ? 2 * hd : hd, nq = h->n_head * hd;
	float *q = f->a, *k = f->b, *v = f->b + h->n_kv * hd, *out = f->c;
	struct device_cache cache = { c->k, c->v, f->kv, h->n_kv, f->o.n_ctx, hd, f->head_bytes };

	infer_mul_all(f, (struct device_product[]){
		times(&l->q, l->q_b, f->h, h->n_embd, f->n, q, f->wide),
		times(&l->k, l->k_b, f->h, h->n_embd, f->n, k, f->wide),
		times(&l->v, l->v_b, f->h, h->n_embd, f->n, v, f->wide),
	}, 3);
	if (infer_traced(f, "q", q, h->n_head * step, f->wide, e) < 0 ||
	    infer_traced(f, "k", k, h->n_kv * hd, f->wide, e) < 0 ||
	    infer_traced(f, "v", v, h->n_kv * hd, f->wide, e) < 0)
		return -1;
	if (h->qk_whole && l->q_norm)
		infer_norm(f, l->q_norm, q, nq, nq);
	if (h->qk_whole && l->k_norm)
		infer_norm(f, l->k_norm, k, h->n_kv * hd, h->n_kv * hd);
	op->remember(f->d, &(struct device_remember){ .c = cache, .q = q, .k = k, .v = v,
	    .ld = f->wide, .n_head = h->n_head, .step = step,
	    .q_norm = h->qk_whole ? NULL : l->q_norm, .k_norm = h->qk_whole ? NULL : l->k_norm,
	    .eps = h->eps, .turn = infer_rope(f, l->rope) });
	if (infer_traced(f, "q_rope", q, h->n_head * step, f->wide, e) < 0 ||
	    infer_traced(f, "k_rope", k, h->n_kv * hd, f->wide, e) < 0)
		return -1;
	op->attend(f->d, &(struct device_attend){ .c = cache, .q = q, .out = out, .ldq = f->wide,
	    .ldo = f->wide, .step = step, .n_head = h->n_head, .window = l->window,
	    .scale = h->attn_scale, .cap = h->attn_cap });
	/* Half of q's rows, a head at a time, say how much of its result counts. */
	if (h->q_gate)
		op->gate(f->d, &(struct device_gate){ .y = out, .gate = q + hd, .ldy = f->wide,
		    .ldg = f->wide, .n = f->n, .heads = h->n_head, .head_dim = hd, .step = step });
	if (infer_traced(f, "heads", out, nq, f->wide, e) < 0)
		return -1;
	infer_mul(f, &l->o, l->o_b, out, f->wide, f->n, f->a, f->wide);
	return infer_traced(f, "attn", f->a, h->n_embd, f->wide, e);
}
