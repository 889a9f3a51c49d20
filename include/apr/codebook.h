/* SPDX-License-Identifier: MIT */
/*
 * codebook.h -- the number types IQ1, IQ2 and IQ3: their grids, what a block
 * of 256 holds, and an encoder that lacks nothing but a search.
 *
 * A point of a grid stands for a group of 8 (IQ1, IQ2) or 4 (IQ3) elements:
 * a code 0..codes - 1 for each, packed into a word, the first lowest.  Groups
 * that share a scale are a sub-block.  The searches are in lib/type (scalar)
 * and lib/kernel (vectors); everything around them is here, once.
 */
#ifndef APR_CODEBOOK_H
#define APR_CODEBOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum grid_name {
	GRID_IQ1, GRID_IQ2_XXS, GRID_IQ2_XS, GRID_IQ2_S, GRID_IQ3_XXS, GRID_IQ3_S,
	GRIDS
};

extern const uint16_t grid_iq1_s[2048], grid_iq2_xxs[256], grid_iq2_xs[512],
    grid_iq2_s[1024], grid_iq3_xxs[256], grid_iq3_s[512];

enum {
	GRID_NONE = 0xffff,	/* no point */
	GRID_HALVES = 81,	/* cells of half a point: 3^4 > 8^2 */
	GRID_PAD = 32,		/* words behind the last list, to be read over */
};

struct grid {
	const uint16_t	*point;		/* packed codes of each */
	uint16_t	 points;
	uint8_t		 group;		/* codes in a point: 8, 4 */
	uint8_t		 codes;		/* values of a code: 3, 8 */
	uint8_t		 bits;		/* of a packed code: 2, 3 */
	uint8_t		 near;		/* distances in a list */
	/*
	 * By cell, the sum of code[k] * codes^k: the point there, or
	 * GRID_NONE and list[first[cell]] .. list[first[cell + 1]], its
	 * neighbours (packed) by squared distance, then by number.
	 */
	const uint16_t	*index;
	const uint32_t	*first;
	const uint16_t	*list;
	/*
	 * By cell of the first half of a point's codes: the points that begin
	 * so are number[half[cell]] .. number[half[cell + 1]], and go on with
	 * the cells rest[].
	 */
	const uint16_t	*half, *number;
	const uint8_t	*rest;
};

/* A grid with its lists, which the first caller waits for. */
const struct grid *grid_get(enum grid_name);

static inline unsigned
grid_cell(const struct grid *g, unsigned packed)
{
	unsigned cell = 0, k = g->group;

	while (k-- > 0)
		cell = cell * g->codes + (packed >> k * g->bits & ((1u << g->bits) - 1));
	return cell;
}

/* What the bytes of a block say. */
struct codebook_block {
	uint16_t	d;		/* f16 */
	uint8_t		scale[16];	/* a code each sub-block */
	uint16_t	index[64];	/* points, in the elements' order */
	uint8_t		sign[32];	/* a bit each element, set: negative;
					 * IQ1: 1 where levels are shifted down */
};

struct codebook {
	const char	*name;
	enum grid_name	 grid;
	uint8_t		 bytes;		/* of a block */
	uint8_t		 len;		/* elements in a sub-block: 16, 32 */
	/* The reference's encoder: it tries inverse scales (top code * 2 + 1
	 * + step * t) / largest, |t| <= tries. */
	uint8_t		 tries;
	float		 step;
	float		 empty;		/* sub-blocks with less are zero */
	float		 energy;	/* sigma^2 is this * sum of squares / 256 */
	float		 stored;	/* d is stored as f16(d * stored) */
	bool		 demands;	/* ggml has no weights without an imatrix */
	/* Seven signs are stored, and minus signs are even in number. */
	bool		 even;
	void		(*put)(uint8_t *, const struct codebook_block *);
	void		(*get)(struct codebook_block *, const uint8_t *);
};

extern const struct codebook codebook_iq1_s, codebook_iq1_m, codebook_iq2_xxs,
    codebook_iq2_xs, codebook_iq2_s, codebook_iq3_xxs, codebook_iq3_s;

/* A sub-block as found. */
struct codebook_fit {
	float		scale;		/* may be negative: then signs are */
	uint16_t	point[8];	/* packed */
	uint8_t		down;		/* IQ1: bit h: half h is shifted down */
};

/*
 * The searches.  `fit` looks for a sub-block of len elements x with weights
 * w > 0: for IQ2 and IQ3 signs are off already (so few x are negative), v is
 * sqrt(w), f->scale the scale to begin with, largest what its largest x is to
 * be divided by; IQ1 has x as it is and neither.  f->point is 0, which is the
 * first point of every grid.  `start` (for IQ2_XXS) gives the scale for codes
 * 0..4, as ggml finds scales of scales.
 */
struct codebook_search {
	void	(*fit)(const struct codebook *, const struct grid *, const float *x,
		    const float *w, const float *v, float largest,
		    struct codebook_fit *f);
	float	(*start)(int n, const float *x, const float *w);
};

/* A block's weights: with an imatrix qw * sqrt(sigma^2 + x^2), without one each
 * type has its own. */
void codebook_weigh(const struct codebook *, const float *x, const float *qw, float *w);

/* struct type's from_f32 by such a search.  Where ggml demands an imatrix and
 * qw is NULL, all columns count the same. */
void codebook_encode(const struct codebook *, const struct codebook_search *,
	    uint8_t *dst, const float *x, size_t n, const float *qw);

#endif
