/* SPDX-License-Identifier: MIT */
/* parts.c -- products, norms and rotations, over all columns of a batch. */
#include <math.h>

#include "infer.h"

void
infer_mul_all(struct infer *f, const struct device_product *p, size_t n)
{
	if (n > 0)
		f->d->op->multiply(f->d, p, n, f->o.precise);
}

void
infer_mul(struct infer *f, const struct mat *w, const float *b, const float *x, size_t ldx,
    size_t n, float *y, size_t ldy)
{
	struct device_product p = times(w, b, x, ldx, n, y, ldy);

	infer_mul_all(f, &p, 1);
}

void
infer_norm(struct infer *f, const float *w, float *x, size_t width, size_t len)
{
	f->d->op->norm(f->d, &(struct device_norm){ .w = w, .x = x, .y = x, .ldx = f->wide,
	    .ldy = f->wide, .n = f->n, .width = width, .len = len, .eps = f->m->h.eps,
	    .centered = f->m->h.layer_norm });
}

void
infer_norm_to_h(struct infer *f, const float *w, const float *bias, bool add,
    const struct mat *next)
{
	const struct hparams *h = &f->m->h;
	size_t d = h->n_embd;

	if (w) {
		f->d->op->norm(f->d, &(struct device_norm){ .w = w, .bias = bias, .x = f->x,
		    .y = f->h, .ldx = d, .ldy = d, .n = f->n, .width = d, .len = d, .eps = h->eps,
		    .centered = h->layer_norm, .more = add ? f->a : NULL, .ldm = f->wide,
		    .by = h->residual_scale, .next = next });
		return;
	}
	if (add)
		f->d->op->add(f->d, f->x, d, f->a, f->wide, h->residual_scale, d, f->n);
	f->d->op->copy(f->d, f->h, f->x, f->n * d * sizeof *f->h);
}

/*
 * Angles in f32, as the references have them; their cosines from double, so
 * that one rounding is all there is.
 */
void
infer_rope_tables(struct infer *f)
{
	for (unsigned r = 0; r < 2; r++) {
		const struct rope *rope = &f->m->rope[r];
		size_t half = rope->n_rot / 2, at = r * f->o.n_batch * f->rope_ld;
		float *cs = f->angles, *sn = cs + f->n * f->rope_ld;

		if (half == 0)
			continue;
		for (size_t c = 0; c < f->n; c++)
			for (size_t i = 0; i < half; i++) {
				float angle = (float)f->tok[c].pos * rope->inv[i];

				cs[c * f->rope_ld + i] = (float)cos((double)angle) * rope->mscale;
				sn[c * f->rope_ld + i] = (float)sin((double)angle) * rope->mscale;
			}
		f->d->op->write(f->d, f->cos + at, cs, f->n * f->rope_ld * sizeof *cs);
		f->d->op->write(f->d, f->sin + at, sn, f->n * f->rope_ld * sizeof *sn);
	}
}

struct device_rope
infer_rope(const struct infer *f, unsigned which)
{
	size_t at = which * f->o.n_batch * f->rope_ld;

	if (f->m->rope[which].n_rot == 0)	/* and there may be no tables */
		return (struct device_rope){ 0 };
	return (struct device_rope){ .half = f->m->rope[which].n_rot / 2, .cos = f->cos + at,
	    .sin = f->sin + at, .ldt = f->rope_ld, .adjacent = f->m->h.adjacent };
}
