/* SPDX-License-Identifier: MIT */
/* mat.c -- rows of weights times columns of activations, the plain way. */
#include <math.h>

#include "unpack.h"

static const struct dot_type *const dots[] = {
	&dot_q4_0, &dot_q4_1, &dot_q5_0, &dot_q5_1, &dot_q8_0, &dot_q1_0, &dot_q2_0,
	&dot_mxfp4, &dot_nvfp4, &dot_q2_k, &dot_q3_k, &dot_q4_k, &dot_q5_k, &dot_q6_k,
	&dot_tq1_0, &dot_tq2_0, &dot_iq4_nl, &dot_iq4_xs, &dot_iq1_s, &dot_iq1_m,
	&dot_iq2_xxs, &dot_iq2_xs, &dot_iq2_s, &dot_iq3_xxs, &dot_iq3_s,
};

enum { SEG = DOT_SEGMENT, GROUPS = SEG / DOT_GROUP };

/* A segment of one row, taken apart. */
struct scratch {
	int8_t	q[SEG];
	float	s[GROUPS], m[GROUPS];
	int16_t	k[2 * GROUPS], mk[2 * GROUPS];
};

_Static_assert(sizeof(struct scratch) <= KERNEL_DOT_TMP, "a row is scratch");

/* Rows of a run of fine columns, before they are one: behind the scratch. */
enum { FINE_ROWS = 64 };
struct sums {
	float	y[2 * ACT_RUN * FINE_ROWS];
};

const struct dot_type *
dot_type(const struct type *t)
{
	if (t == &type_apr_q4)
		return &dot_apr_q4;
	if (t == &type_apr_q8)
		return &dot_apr_q8;
	for (size_t i = 0; t->ggml >= 0 && i < sizeof dots / sizeof *dots; i++)
		if (dots[i]->ggml == t->ggml)
			return dots[i];
	return NULL;
}

/* Blocks that run over row ends are not whole groups of a row. */
bool
mat_packed(const struct mat *w, bool precise)
{
	return !precise && !w->transposed && dot_type(w->type) &&
	    (!(w->type->flags & TYPE_FLAT) ||
	    (w->cols % DOT_GROUP == 0 && w->skip % DOT_GROUP == 0));
}

size_t
mat_scratch(const struct mat *w)
{
	return KERNEL_DOT_TMP + (w->fine ? sizeof(struct sums) : 0);
}

struct mat
mat_slice(const struct mat *w, size_t from, size_t rows)
{
	struct mat m = *w;

	m.rows = rows;
	if (w->transposed)
		m.skip += from;
	else if (w->type->flags & TYPE_FLAT)
		m.skip += from * w->cols;
	else
		m.data = (const unsigned char *)w->data + from * w->stride;
	return m;
}

static int
dot16(const int8_t *q, const int8_t *a)
{
	int sum = 0;

	for (int i = 0; i < 16; i++)
		sum += q[i] * a[i];
	return sum;
}

/* One group's share, see dot.h. */
static float
step(float acc, unsigned flags, const struct scratch *t, size_t g, const struct dot_act *a)
{
	int d0 = dot16(t->q + 32 * g, a->q), d1 = dot16(t->q + 32 * g + 16, a->q + 16);

	if (flags & DOT_HALF_SCALES) {
		acc = fmaf(t->s[g] * a->s, (float)d0, acc);
		return fmaf(t->m[g] * a->s, (float)d1, acc);
	}
	if (flags & DOT_HALVES)
		d0 = t->k[2 * g] * d0 + t->k[2 * g + 1] * d1;
	else
		d0 += d1;
	acc = fmaf(t->s[g] * a->s, (float)d0, acc);
	if (flags & DOT_MIN)
		acc = fmaf(-t->m[g], a->ms, acc);
	if (flags & DOT_MIN_HALVES) {
		acc = fmaf(-(t->m[g] * (float)t->mk[2 * g]), a->hs[0], acc);
		acc = fmaf(-(t->m[g] * (float)t->mk[2 * g + 1]), a->hs[1], acc);
	}
	return acc;
}

/* Where a row begins; flat ones at a block's begin, see mat_packed(). */
static size_t
row_at(const struct mat *w, size_t r)
{
	return w->type->flags & TYPE_FLAT ?
	    (w->skip + r * w->cols) / w->type->block * w->type->bytes : r * w->stride;
}

static void
mul_packed(const struct mat *w, size_t from, size_t to, const struct dot_acts *a, float *y,
    size_t ldy, struct scratch *t)
{
	const struct dot_type *d = dot_type(w->type);
	struct dot_groups g = { t->q, t->s, t->m, t->k, t->mk };

	for (size_t r = from; r < to; r++)
		for (size_t i = 0, n; i < w->cols; i += n) {
			size_t whole, first = i / DOT_GROUP;

			n = w->cols - i < SEG ? w->cols - i : SEG;
			whole = (n + w->type->block - 1) / w->type->block * w->type->block;
			if (w->type->flags & TYPE_WHOLE) {
				memset(t->q, 0, (n + 31) / 32 * 32);
				for (size_t k = 0; k < (n + 31) / 32; k++)
					t->s[k] = w->scale;
			}
			d->unpack(&g, (const unsigned char *)w->data + row_at(w, r) +
			    i / w->type->block * w->type->bytes, whole);
			for (size_t c = 0; c < a->n; c++) {
				float acc = 0, *out = y + c * ldy + r - from;

				for (size_t k = 0; k < (n + 31) / 32; k++)
					acc = step(acc, d->flags, t, k, dot_act(a, c, first + k));
				*out = i ? *out + acc : acc;
			}
		}
}

static int
slot(const struct type *t)
{
	return t == &type_apr_q4 ? KERNEL_APR_Q4 : t == &type_apr_q8 ? KERNEL_APR_Q8 : t->ggml;
}

/* y[c * ldy + r - from] */
static void
mul(const struct kernels *k, const struct mat *w, size_t from, size_t to,
    const struct dot_acts *a, float *y, size_t ldy, void *tmp)
{
	const struct dot_type *d = dot_type(w->type);
	struct kernel_dot job;
	kernel_dot_fn *dot;

	dot = k->dot[slot(w->type)] ? k->dot[slot(w->type)] : k->dot_any;
	if (!dot) {
		mul_packed(w, from, to, a, y, ldy, tmp);
		return;
	}
	job = (struct kernel_dot){
		.w = (const unsigned char *)w->data + row_at(w, from), .rows = to - from,
		.cols = w->cols, .stride = row_at(w, from + 1) - row_at(w, from),
		.block = w->type->block, .bytes = w->type->bytes, .flags = d->flags,
		.unpack = d->unpack, .scale = w->scale, .a = *a, .y = y, .ldy = ldy,
		.tmp = tmp,
	};
	dot(&job);
}

/* Both columns of each, and then their sum. */
static void
mul_fine(const struct kernels *k, const struct mat *w, size_t from, size_t to,
    const struct act *a, float *y, size_t ldy, void *tmp)
{
	struct sums *s = (void *)((unsigned char *)tmp + KERNEL_DOT_TMP);

	for (size_t c = 0; c < a->n; c += ACT_RUN) {
		struct dot_acts run = act_run(a, c);
		size_t n = run.n / 2;

		for (size_t r = from, rows; r < to; r += rows) {
			rows = to - r < FINE_ROWS ? to - r : FINE_ROWS;
			mul(k, w, r, r + rows, &run, s->y, rows, tmp);
			for (size_t i = 0; i < n; i++)
				for (size_t j = 0; j < rows; j++)
					y[(c + i) * ldy + r + j] = s->y[i * rows + j] +
					    s->y[(n + i) * rows + j];
		}
	}
}

void
mat_mul_with(const struct kernels *k, const struct mat *w, size_t from, size_t to,
    const struct act *a, bool precise, float *y, size_t ldy, void *tmp)
{
	if (!mat_packed(w, precise))
		mul_float(w, from, to, a, y, ldy, tmp);
	else if (a->fine)
		mul_fine(k, w, from, to, a, y, ldy, tmp);
	else
		mul(k, w, from, to, &a->p, y + from, ldy, tmp);
}

void
mat_mul(const struct mat *w, size_t from, size_t to, const struct act *a, bool precise,
    float *y, size_t ldy, void *tmp)
{
	mat_mul_with(kernels(), w, from, to, a, precise, y, ldy, tmp);
}
