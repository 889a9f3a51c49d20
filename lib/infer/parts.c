/* SPDX-License-Identifier: MIT */
/* parts.c -- products, norms and rotations, over all columns of a batch. */
#include <math.h>
#include <string.h>

#include <apr/kernel.h>

#include "infer.h"

struct mul {
	struct infer	*f;
	const struct mat *w;
	struct act	 act;
	const float	*bias;
	float		*y;
	size_t		 ldy;
};

static void
quantize(void *arg, size_t from, size_t to, unsigned who)
{
	struct mul *m = arg;
	struct act a = m->act;

	(void)who;
	act_quantize(&a, from, to, m->f->act);
}

static void
multiply(void *arg, size_t from, size_t to, unsigned who)
{
	struct mul *m = arg;

	mat_mul(m->w, from, to, &m->act, m->f->o.precise, m->y, m->ldy,
	    (unsigned char *)m->f->tmp + who * m->f->tmp_bytes);
	if (m->bias)
		for (size_t c = 0; c < m->act.n; c++)
			for (size_t r = from; r < to; r++)
				m->y[c * m->ldy + r] += m->bias[r];
}

/* Rows at a time: whole strips of kernels, several shares a thread, and long
 * ones, since memory is fetched ahead within them. */
static size_t
share(const struct infer *f, size_t rows)
{
	size_t n = rows / (4 * (size_t)crew_size(f->crew)) / 64 * 64;

	return n < 64 ? 64 : n > 512 ? 512 : n;
}

void
infer_mul(struct infer *f, const struct mat *w, const float *b, const float *x, size_t ldx,
    size_t n, float *y, size_t ldy)
{
	struct mul m = { f, w, { .cols = w->cols, .n = n, .ld = ldx, .x = x }, b, y, ldy };

	if (mat_packed(w, f->o.precise)) {
		crew_run(f->crew, n, 4, quantize, &m);
		act_quantize(&m.act, 0, 0, f->act);	/* where they lie */
	}
	crew_run(f->crew, w->rows, share(f, w->rows), multiply, &m);
}

struct norm {
	const struct hparams *h;
	const float	*w, *bias, *x;
	float		*y;
	size_t		 ldx, ldy, width, len;
};

static void
norm_one(const struct norm *m, const float *x, float *y)
{
	size_t n = m->len;
	float mean, inv;

	if (m->h->layer_norm) {
		mean = sum_f32(x, n) / (float)n;
		for (size_t i = 0; i < n; i++)
			y[i] = x[i] - mean;
		x = y;
	}
	inv = 1 / sqrtf(dot_f32(x, x, n) / (float)n + m->h->eps);
	kernels()->f.scale(y, x, inv, m->w, m->bias, n);
}

static void
norm(void *arg, size_t from, size_t to, unsigned who)
{
	const struct norm *m = arg;

	(void)who;
	for (size_t c = from; c < to; c++)
		for (size_t i = 0; i < m->width; i += m->len)
			norm_one(m, m->x + c * m->ldx + i, m->y + c * m->ldy + i);
}

void
infer_norm(struct infer *f, const float *w, const float *bias, const float *x, size_t ldx,
    float *y, size_t ldy, size_t n, size_t width, size_t len)
{
	struct norm m = { &f->m->h, w, bias, x, y, ldx, ldy, width, len };

	crew_run(f->crew, n, 4, norm, &m);
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
		size_t half = rope->n_rot / 2;
		float *cs = f->cos + r * f->o.n_batch * f->rope_ld;
		float *sn = f->sin + r * f->o.n_batch * f->rope_ld;

		for (size_t c = 0; c < f->n; c++)
			for (size_t i = 0; i < half; i++) {
				float angle = (float)f->tok[c].pos * rope->inv[i];

				cs[c * f->rope_ld + i] = (float)cos((double)angle) * rope->mscale;
				sn[c * f->rope_ld + i] = (float)sin((double)angle) * rope->mscale;
			}
	}
}

struct turn {
	struct infer	*f;
	unsigned	 which, heads;
	float		*x;
	size_t		 ld;
};

static void
turn(void *arg, size_t from, size_t to, unsigned who)
{
	const struct turn *t = arg;
	const struct infer *f = t->f;
	const struct hparams *h = &f->m->h;
	size_t half = f->m->rope[t->which].n_rot / 2;

	(void)who;
	for (size_t c = from; c < to; c++) {
		const float *cs = f->cos + (t->which * f->o.n_batch + c) * f->rope_ld;
		const float *sn = f->sin + (t->which * f->o.n_batch + c) * f->rope_ld;

		for (unsigned a = 0; a < t->heads; a++) {
			float *v = t->x + c * t->ld + a * h->head_dim;

			if (!h->adjacent) {
				kernels()->f.turn(v, v + half, cs, sn, half);
				continue;
			}
			for (size_t i = 0; i < half; i++) {
				float p = v[2 * i], q = v[2 * i + 1];

				v[2 * i] = p * cs[i] - q * sn[i];
				v[2 * i + 1] = q * cs[i] + p * sn[i];
			}
		}
	}
}

void
infer_rope(struct infer *f, unsigned which, float *x, size_t ld, unsigned heads)
{
	struct turn t = { f, which, heads, x, ld };

	crew_run(f->crew, f->n, 4, turn, &t);
}
