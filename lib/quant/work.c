/* SPDX-License-Identifier: MIT */
/* work.c -- what a worker does to a chunk: to F32, checked, to the new type,
 * and back where somebody wants to know what was lost. */
#include <string.h>

#include "convert.h"

/* n elements of each of k rows, from `col` of the chunk's row r on, which
 * are in j->x.  Several rows lie side by side. */
static void
encode(struct job *j, unsigned char *dst, size_t r, size_t k, uint64_t col, size_t n)
{
	const struct type *to = j->to;
	const struct weights *w = j->qw;
	size_t some;

	if (to->flags & TYPE_WHOLE) {
		type_q8_encoder()((int8_t *)dst, j->x, k * n, j->scale_out);
		return;
	}
	if (!w) {
		n *= k;
		k = 1;
	}
	some = to->flags & TYPE_FLAT ? n : whole(to, n);
	if (some > n)
		memset(j->x + n, 0, (some - n) * sizeof *j->x);
	for (size_t i = 0; i < k; i++, dst += n / to->block * to->bytes)
		j->encode(dst, j->x + i * n, some, !w ? NULL : w->v +
		    (j->row + r + i) / w->rows * w->stride + col);
}

/* What became of the values in j->x, a tile at a time within each row. */
static int
look_back(struct job *j, const unsigned char *dst, size_t k, size_t n, uint64_t at)
{
	bool fit = !(j->to->flags & (TYPE_PLAIN | TYPE_WHOLE)) && j->max >= 60000;
	size_t step = k > 1 ? k * n : TILE;

	if (!fit && !j->measure)
		return 0;
	for (size_t i = 0, m; i < k * n; i += m) {
		m = k * n - i < step ? k * n - i : step;
		decode(j->to, j->y, dst + i / j->to->block * j->to->bytes, m, j->scale_out);
		/* No block type's scale is larger than its largest value. */
		if (fit && check_fit(j, j->x + i, j->y, m, at + i) < 0)
			return -1;
		for (size_t q = 0, one; j->measure && q < m; q += one) {
			one = m - q < n ? m - q : n;
			j->unit[j->nunit++] = quant_error_of(j->x + i + q, j->y + q, one);
		}
	}
	return 0;
}

/* n elements of each of k rows, from the chunk's row r and element i on. */
static int
tile(struct job *j, size_t r, size_t k, size_t i, size_t n)
{
	const unsigned char *src = j->src + r * j->src_row + i / j->from->block * j->from->bytes;
	uint64_t col = j->col + i, at = (j->row + r) * j->cols + col;
	const struct type *to = j->to;
	unsigned char *dst;

	decode(j->from, j->x, src, k * n, j->scale_in);
	if (j->sc)
		scales_apply(j->t, j->sc->v, j->sc->n, j->x, k * n, at);
	if (check_values(j, j->x, k * n, at) < 0)
		return -1;
	if (!to)
		return 0;
	dst = j->dst + j->head + r * j->dst_row + i / to->block * to->bytes;
	if (j->same && !j->sc)
		same_move(to, dst, src, k * n);
	else
		encode(j, dst, r, k, col, n);
	if (!(to->flags & (TYPE_PLAIN | TYPE_WHOLE | TYPE_FLAT))) {
		j->tiny += check_tiny(to, dst, j->x, whole(to, k * n));
		j->misread += check_misread(j, j->x, whole(to, k * n));
	}
	return look_back(j, dst, k, n, at);
}

void
job_work(void *arg)
{
	struct job *j = arg;
	/* Short rows go together where nothing lies between them. */
	size_t few = j->packed && j->len < TILE ? TILE / j->len : 1;

	for (size_t r = 0, k; j->from && r < j->rows; r += k) {
		k = j->rows - r < few ? j->rows - r : few;
		for (size_t i = 0, n; i < j->len; i += n) {
			n = j->len - i < j->tile ? j->len - i : j->tile;
			if (tile(j, r, k, i, n) < 0)
				return;
		}
	}
}
