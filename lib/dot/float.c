/* SPDX-License-Identifier: MIT */
/* float.c -- products of weights as floats with activations as they are. */
#include <apr/kernel.h>

#include "unpack.h"

/*
 * Rows are decoded a tile at a time and multiplied with many columns; the 16
 * sums of each pair stay in memory from tile to tile.  Of a transposed matrix
 * a tile has more rows, since those are what lies side by side.
 */
enum {
	TILE = 4096,			/* floats */
	ROWS = 4, WIDE = TILE / ROWS, COLS = 32,
	T_ROWS = 64, T_WIDE = TILE / T_ROWS, T_COLS = 16,
	SUMS = 16 * (T_ROWS * T_COLS > ROWS * COLS ? T_ROWS * T_COLS : ROWS * COLS),
};

struct tiles {
	float	w[TILE], p[SUMS];
};

_Static_assert(sizeof(struct tiles) <= KERNEL_DOT_TMP, "mat_scratch() is too small");

float
dot_f32(const float *a, const float *b, size_t n)
{
	float y;

	kernels()->f.dots(&y, 0, a, 0, 1, b, 0, 1, n);
	return y;
}

float
sum_f32(const float *a, size_t n)
{
	return kernels()->f.sum(a, n);
}

/* n elements from `at` on, which may be inside of a block, of those at p. */
static void
elements(const struct type *t, float *dst, const unsigned char *p, size_t at, size_t n)
{
	float block[256];

	for (size_t k; n > 0; n -= k, at += k, dst += k) {
		const unsigned char *b = p + at / t->block * t->bytes;
		size_t skip = at % t->block;

		if (skip == 0 && n >= t->block) {
			k = n / t->block * t->block;
			type_decoder(t)(dst, b, k);
			continue;
		}
		k = t->block - skip < n ? t->block - skip : n;
		/* Rows may be padded to whole blocks; a flat tensor's last may
		 * be short. */
		type_decoder(t)(block, b, t->flags & TYPE_FLAT ? skip + k : t->block);
		memcpy(dst, block + skip, k * sizeof *dst);
	}
}

/* Rows [row, row + n) of a transposed matrix's column k. */
static void
column(const struct mat *w, size_t k, size_t row, size_t n, float *dst)
{
	const unsigned char *p = w->data;
	size_t at = w->skip + row;

	if (w->type->flags & TYPE_FLAT)
		at += k * w->stride;
	else
		p += k * w->stride;
	if (w->type->flags & TYPE_WHOLE)
		type_q8_decoder()(dst, (const int8_t *)p + at, n, w->scale);
	else
		elements(w->type, dst, p, at, n);
}

/* Elements [from, from + n) of a row as f32; from is a multiple of 256. */
static void
row_tile(const struct mat *w, size_t row, size_t from, size_t n, float *dst)
{
	const unsigned char *p = w->data;

	if (w->transposed)
		for (size_t i = 0; i < n; i++)
			column(w, from + i, row, 1, dst + i);
	else if (w->type->flags & TYPE_WHOLE)
		type_q8_decoder()(dst, (const int8_t *)p + row * w->stride + from, n, w->scale);
	else if (w->type->flags & TYPE_FLAT)
		elements(w->type, dst, p, w->skip + row * w->cols + from, n);
	else
		elements(w->type, dst, p + row * w->stride, from, n);
}

void
mat_row(const struct mat *w, size_t row, float *dst)
{
	row_tile(w, row, 0, w->cols, dst);
}

/* Are these floats already? */
static bool
in_place(const struct mat *w)
{
	return w->type == &type_f32 && w->stride % sizeof(float) == 0 &&
	    (uintptr_t)w->data % sizeof(float) == 0;
}

static void
mul_across(const struct mat *w, size_t from, size_t to, const struct act *a, float *y,
    size_t ldy, struct tiles *t)
{
	const struct kernel_floats *f = &kernels()->f;

	for (size_t c = 0, nc; c < a->n; c += nc) {
		nc = a->n - c < T_COLS ? a->n - c : T_COLS;
		for (size_t r = from, nr; r < to; r += nr) {
			nr = to - r < T_ROWS ? to - r : T_ROWS;
			memset(t->p, 0, nr * nc * 16 * sizeof *t->p);
			for (size_t k = 0, n; k < w->cols; k += n) {
				n = w->cols - k < T_WIDE ? w->cols - k : T_WIDE;
				for (size_t i = 0; i < n; i++)
					column(w, k + i, r, nr, t->w + i * nr);
				f->partial_across(t->p, t->w, nr, nr, a->x + c * a->ld + k, a->ld, nc, n);
			}
			f->finish_across(y + c * ldy + r, ldy, t->p, nr, nc);
		}
	}
}

void
mul_float(const struct mat *w, size_t from, size_t to, const struct act *a, float *y,
    size_t ldy, void *tmp)
{
	const struct kernel_floats *f = &kernels()->f;
	struct tiles *t = tmp;
	float sums[ROWS * COLS];

	if (w->transposed) {
		mul_across(w, from, to, a, y, ldy, t);
		return;
	}
	for (size_t c = 0, nc; c < a->n; c += nc) {
		nc = a->n - c < COLS ? a->n - c : COLS;
		for (size_t r = from, nr; r < to; r += nr) {
			nr = to - r < ROWS ? to - r : ROWS;
			memset(t->p, 0, nr * nc * 16 * sizeof *t->p);
			for (size_t k = 0, n; k < w->cols; k += n) {
				const float *tile = t->w;
				size_t ld = WIDE;

				n = w->cols - k < WIDE ? w->cols - k : WIDE;
				if (in_place(w)) {
					ld = w->stride / sizeof *tile;
					tile = (const float *)w->data + r * ld + k;
				} else {
					for (size_t i = 0; i < nr; i++)
						row_tile(w, r + i, k, n, t->w + i * WIDE);
				}
				f->partial(t->p, tile, ld, nr, a->x + c * a->ld + k, a->ld, nc, n);
			}
			f->finish(sums, t->p, nr * nc);
			for (size_t j = 0; j < nc; j++)
				memcpy(y + (c + j) * ldy + r, sums + j * nr, nr * sizeof *y);
		}
	}
}
