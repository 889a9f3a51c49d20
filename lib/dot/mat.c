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

/* A segment of one row, taken apart; or a row's tile as floats. */
struct scratch {
	int8_t	q[SEG];
	float	s[GROUPS], m[GROUPS];
	int16_t	k[2 * GROUPS], mk[2 * GROUPS];
	float	x[SEG];
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
	(void)w;
	return sizeof(struct scratch) > KERNEL_DOT_TMP ? sizeof(struct scratch) : KERNEL_DOT_TMP;
}

static void
finish(const float *p, float *y)
{
	float t[8];

	for (int i = 0; i < 8; i++)
		t[i] = p[i] + p[i + 8];
	for (int i = 0; i < 4; i++)
		t[i] += t[i + 4];
	for (int i = 0; i < 2; i++)
		t[i] += t[i + 2];
	*y = t[0] + t[1];
}

/* Onto 16 partial sums; column 0 of w is a multiple of 16. */
static void
partial(float *p, const float *w, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i % 16] = fmaf(w[i], x[i], p[i % 16]);
}

float
dot_f32(const float *a, const float *b, size_t n)
{
	float p[16] = { 0 }, y;

	partial(p, a, b, n);
	finish(p, &y);
	return y;
}

float
sum_f32(const float *a, size_t n)
{
	float p[16] = { 0 }, y;

	for (size_t i = 0; i < n; i++)
		p[i % 16] += a[i];
	finish(p, &y);
	return y;
}

/* Elements [from, from + n) of a row as f32; from is a multiple of SEG. */
static void
row_tile(const struct mat *w, size_t row, size_t from, size_t n, float *dst)
{
	const struct type *t = w->type;
	const unsigned char *p = w->data;

	if (w->transposed) {
		for (size_t i = 0; i < n; i++)
			type_decoder(t)(dst + i, p + (from + i) * w->stride + row * t->bytes, 1);
	} else if (t->flags & TYPE_WHOLE) {
		type_q8_to_f32(dst, (const int8_t *)p + row * w->stride + from, n, w->scale);
	} else if (t->flags & TYPE_FLAT) {
		/* Element by block: a row may begin inside one. */
		size_t at = w->skip + row * w->cols + from, left = n;
		float block[256];

		while (left > 0) {
			size_t skip = at % t->block, k = t->block - skip;

			if (k > left)
				k = left;
			type_decoder(t)(block, p + at / t->block * t->bytes, skip + k);
			memcpy(dst, block + skip, k * sizeof *dst);
			dst += k;
			at += k;
			left -= k;
		}
	} else {
		/* Rows may be padded to whole blocks: the last ones may be read. */
		size_t whole = (n + t->block - 1) / t->block * t->block;

		type_decoder(t)(dst, p + row * w->stride + from / t->block * t->bytes, whole);
	}
}

struct mat
mat_slice(const struct mat *w, size_t from, size_t rows)
{
	struct mat m = *w;

	m.rows = rows;
	if (w->type->flags & TYPE_FLAT)
		m.skip += from * w->cols;
	else
		m.data = (const unsigned char *)w->data +
		    from * (w->transposed ? w->type->bytes : w->stride);
	return m;
}

void
mat_row(const struct mat *w, size_t row, float *dst)
{
	float tile[SEG];

	for (size_t i = 0, n; i < w->cols; i += n) {
		n = w->cols - i < SEG ? w->cols - i : SEG;
		row_tile(w, row, i, n, tile);
		memcpy(dst + i, tile, n * sizeof *dst);
	}
}

static void
mul_float(const struct mat *w, size_t from, size_t to, const struct act *a, float *y,
    size_t ldy, struct scratch *t)
{
	enum { COLS = 16 };
	float p[COLS][16];

	for (size_t c = 0, nc; c < a->n; c += nc) {
		nc = a->n - c < COLS ? a->n - c : COLS;
		for (size_t r = from; r < to; r++) {
			memset(p, 0, sizeof p);
			for (size_t i = 0, n; i < w->cols; i += n) {
				n = w->cols - i < SEG ? w->cols - i : SEG;
				row_tile(w, r, i, n, t->x);
				for (size_t j = 0; j < nc; j++)
					partial(p[j], t->x, a->x + (c + j) * a->ld + i, n);
			}
			for (size_t j = 0; j < nc; j++)
				finish(p[j], y + (c + j) * ldy + r);
		}
	}
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
mul_packed(const struct mat *w, size_t from, size_t to, const struct act *a, float *y,
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
				float acc = 0, *out = y + c * ldy + r;

				for (size_t k = 0; k < (n + 31) / 32; k++)
					acc = step(acc, d->flags, t, k, dot_act(&a->p, c, first + k));
				*out = i ? *out + acc : acc;
			}
		}
}

static int
slot(const struct type *t)
{
	return t == &type_apr_q4 ? KERNEL_APR_Q4 : t == &type_apr_q8 ? KERNEL_APR_Q8 : t->ggml;
}

void
mat_mul_with(const struct kernels *k, const struct mat *w, size_t from, size_t to,
    const struct act *a, bool precise, float *y, size_t ldy, void *tmp)
{
	const struct dot_type *d = dot_type(w->type);
	struct kernel_dot job;
	kernel_dot_fn *dot;

	if (!mat_packed(w, precise)) {
		mul_float(w, from, to, a, y, ldy, tmp);
		return;
	}
	dot = k->dot[slot(w->type)] ? k->dot[slot(w->type)] : k->dot_any;
	if (!dot) {
		mul_packed(w, from, to, a, y, ldy, tmp);
		return;
	}
	job = (struct kernel_dot){
		.w = (const unsigned char *)w->data + row_at(w, from), .rows = to - from,
		.cols = w->cols, .stride = row_at(w, from + 1) - row_at(w, from),
		.block = w->type->block, .bytes = w->type->bytes, .flags = d->flags,
		.unpack = d->unpack, .scale = w->scale, .a = a->p, .y = y + from, .ldy = ldy,
		.tmp = tmp,
	};
	dot(&job);
}

void
mat_mul(const struct mat *w, size_t from, size_t to, const struct act *a, bool precise,
    float *y, size_t ldy, void *tmp)
{
	mat_mul_with(kernels(), w, from, to, a, precise, y, ldy, tmp);
}
