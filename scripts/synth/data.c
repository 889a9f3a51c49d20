/* SPDX-License-Identifier: MIT */
/* data.c -- what is in them. */
#include <stdlib.h>
#include <string.h>

#include "synth.h"

/*
 * --walk: token u + 1 follows token u, beyond doubt.  Row u of the embedding is
 * two random halves, [h(u), h(u - 1)], and the last layer brings the first half
 * of what it reads to the second, so that row u + 1 is the nearest: by a pair of
 * neurons a column, gelu(z) - gelu(-z) = z or z silu(z) + z silu(-z), odd too.
 * What else the layers do to the stream stays random, and is less than that.
 */
enum { WALK_EMBED = 100, WALK_IN = 2, WALK_OUT = 3 };

static void
walk_embedding(const struct tensor *t, const struct pool *pool, uint64_t row,
    float *x, uint64_t rows)
{
	uint64_t vocab = t->dim[0], n = t->dim[1] / 2;

	for (uint64_t i = 0; i < 2 * rows; i++, x += n) {
		uint64_t u = (row + i / 2 + (i % 2 == 0 ? 0 : vocab - 1)) % vocab;
		uint64_t state = opt.seed + (u << 32);

		deal((uint8_t *)x, n, pool, &state);
		for (uint64_t j = 0; j < n; j++)
			x[j] *= WALK_EMBED;
	}
}

static void
walk_ffn(const struct tensor *t, uint64_t row, float *x, uint64_t rows)
{
	bool conv = t->part->flags & CONV, by_row = t->part->rows == FFN;
	bool down = conv == by_row, gate = strstr(t->name, "gate") != NULL;
	uint64_t half = opt.walk->hidden / 2, cols = t->dim[1];

	for (uint64_t r = row; r < row + rows; r++)
		for (uint64_t c = 0; c < cols; c++, x++) {
			uint64_t neuron = by_row ? r : c, at = by_row ? c : r;
			int sign = neuron % 2 == 1 && (conv || gate) ? -1 : 1;

			if (neuron < 2 * half && at == neuron / 2 + (down ? half : 0))
				*x += (float)(sign * (down ? WALK_OUT : WALK_IN));
		}
}

static void
put_values(struct out *o, const struct tensor *t)
{
	static _Alignas(float) uint8_t buf[CHUNK + 4096];
	const struct pool *pool = pool_of(t->type, t->ndim == 1 &&
	    strstr(t->name, ".bias") == NULL);
	uint64_t head = t->type->flags & TYPE_WHOLE ? 4 : 0, row = 0;
	size_t b = t->type->bytes, most = CHUNK / b / 4 * 4;

	if (opt.walk != NULL && t->ndim == 2)	/* whole rows */
		most -= most % t->dim[1];
	put(o, &pool->scale, head);
	for (uint64_t e = 0; e < t->parts; e++) {
		const char *hf = t->part->hf ? t->part->hf : t->part->apr;
		char *name = expand(hf, t->layer, t->parts > 1 ? e : t->expert);
		uint64_t state = opt.seed, left = (t->bytes - head) / t->parts;

		for (const char *c = name; *c != '\0'; c++)
			state = (state ^ (uint8_t)*c) * 0x100000001b3;
		state = mix(&state);
		free(name);
		for (; left > 0;) {
			uint64_t n = left < most * b ? left : most * b;
			deal(buf, ((size_t)(n / b) + 3) / 4 * 4, pool, &state);
			if (opt.walk != NULL && t->ndim == 2) {
				uint64_t rows = n / b / t->dim[1];
				if (t->part->rows == VOC)
					walk_embedding(t, pool, row, (float *)buf, rows);
				else if ((t->part->rows == FFN || t->part->cols == FFN) &&
				    t->layer + 1 == opt.walk->layers)
					walk_ffn(t, row, (float *)buf, rows);
				row += rows;
			}
			put(o, buf, n);
			left -= n;
		}
	}
}

void
put_data(struct out *o, const struct tensor *t, size_t n, uint64_t align)
{
	for (; n > 0; n--, t++) {
		if (opt.sparse)
			hole(o, t->bytes);
		else
			put_values(o, t);
		pad(o, align);
	}
}
