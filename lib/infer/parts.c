/* SPDX-License-Identifier: MIT */
/* parts.c -- products, norms and rotations, over all columns of a batch. */
#include <math.h>
#include <string.h>

#include <apr/kernel.h>

#include "infer.h"

struct list {
	struct infer	*f;
	struct product	*p;
	size_t		 n;
};

static void
quantize(void *arg, size_t from, size_t to, unsigned who)
{
	const struct product *p = arg;
	struct act a = p->act;

	(void)who;
	act_quantize(&a, from, to, p->scratch);
}

/* Rows that one thread multiplies at a time: whole strips of kernels.  Of few
 * columns it reads no more than is worth waiting for at the end; many want
 * all strips of a panel. */
static size_t
share(const struct product *p)
{
	const struct type *t = p->w->type;
	size_t row = p->w->cols / t->block * t->bytes + 1, n = (128 << 10) / row / 16 * 16;

	return p->n > 16 || p->w->transposed || n > 64 ? 64 : n < 16 ? 16 : n;
}

/* Pieces of all products, counted through. */
static void
multiply(void *arg, size_t from, size_t to, unsigned who)
{
	const struct list *l = arg;
	const struct product *p = l->p;
	size_t first = 0;

	for (size_t piece = from; piece < to; piece++) {
		size_t r, end;

		while (piece - first >= p->pieces)
			first += p++->pieces;
		r = (piece - first) * p->step;
		end = p->w->rows - r < p->step ? p->w->rows : r + p->step;
		mat_mul(p->w, r, end, &p->act, l->f->o.precise, p->y, p->ldy,
		    (unsigned char *)l->f->tmp + who * l->f->tmp_bytes);
		for (size_t c = 0; p->bias && c < p->n; c++)
			for (size_t i = r; i < end; i++)
				p->y[c * p->ldy + i] += p->bias[i];
	}
}

void
infer_mul_all(struct infer *f, struct product *p, size_t n)
{
	struct list l = { f, p, n };
	unsigned char *scratch = f->act;
	size_t pieces = 0;

	for (size_t i = 0; i < n; i++) {
		struct product *q = &p[i];

		q->act = (struct act){ .cols = q->w->cols, .n = q->n, .ld = q->ldx,
		    .x = q->x, .fine = q->w->fine };
		q->step = share(q);
		q->pieces = (q->w->rows + q->step - 1) / q->step;
		pieces += q->pieces;
		if (!mat_packed(q->w, f->o.precise))
			continue;
		if (i > 0 && p[i - 1].x == q->x && p[i - 1].scratch &&
		    p[i - 1].act.fine == q->act.fine) {
			q->scratch = p[i - 1].scratch;
		} else {
			q->scratch = scratch;
			scratch += act_scratch(q->w->cols, q->act.fine ? 2 * q->n : q->n);
			crew_run(f->crew, q->n, 4, quantize, q);
		}
		act_quantize(&q->act, 0, 0, q->scratch);	/* where they lie */
	}
	crew_run(f->crew, pieces, 1, multiply, &l);
}

void
infer_mul(struct infer *f, const struct mat *w, const float *b, const float *x, size_t ldx,
    size_t n, float *y, size_t ldy)
{
	struct product p = times(w, b, x, ldx, n, y, ldy);

	infer_mul_all(f, &p, 1);
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
