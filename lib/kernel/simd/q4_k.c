/* SPDX-License-Identifier: MIT */
/* q4_k.c -- Q4_K and Q5_K from floats: see lib/type/q4_k.c. */
#include "range.h"
#include "scales.h"
#include "simd.h"

/*
 * BLOCKS at a time: lane b of a vector is the scale of block b, lane
 * BLOCKS + b its minimum.
 */
enum { N = 256, GROUPS = 8, LEN = 32, HEAD = 16, BLOCKS = W / 2, FOUR = BLOCKS * GROUPS / W };

/* The same in each byte of a word. */
#define BYTES(v)	((uint32_t)(v) * 0x01010101)

/* Eight scales and eight minima to twelve bytes, and as they read back. */
static inline void
fields_pack(uint8_t *p, const uint8_t *code, uint8_t *back)
{
	uint32_t c[4], s[3], r[4];	/* scales 0-3 4-7, minima 0-3 4-7 */

	memcpy(c, code, sizeof c);
	s[0] = c[0] | (c[1] >> 4 & BYTES(3)) << 6;
	s[1] = c[2] | (c[3] >> 4 & BYTES(3)) << 6;
	s[2] = (c[1] & BYTES(15)) | (c[3] & BYTES(15)) << 4;
	memcpy(p, s, sizeof s);
	r[0] = s[0] & BYTES(63);
	r[1] = (s[2] & BYTES(15)) | (s[0] >> 6 & BYTES(3)) << 4;
	r[2] = s[1] & BYTES(63);
	r[3] = (s[2] >> 4 & BYTES(15)) | (s[1] >> 6 & BYTES(3)) << 4;
	memcpy(back, r, sizeof r);
}

/* Of some blocks: 2 * sum of squares / 256, as the weights need it. */
static inline void
sigma2(float *s2, const float *x, int blocks)
{
	float sum[BLOCKS] = { 0 };

	for (int i = 0; i < N; i++)
		for (int b = 0; b < blocks; b++)
			sum[b] += x[b * N + i] * x[b * N + i];
	for (int b = 0; b < blocks; b++)
		s2[b] = 2 * sum[b] / N;
}

INLINE void
search(const struct walk *k, const float *x, const float *qw, int groups, struct ranges *found)
{
	struct tile tile[FOUR];
	float s2[BLOCKS];
	int tiles = 0;

	if (qw)
		sigma2(s2, x, groups / GROUPS);
	for (int g = 0; g < groups; g += W) {
		struct tile *t = &tile[tiles++];
		float base[W];

		lanes_load(t->x, LEN, x + g * LEN, groups - g);
		if (!qw)
			continue;
		lanes_load(t->w, LEN, qw + g * LEN, groups - g);
		for (int i = 0; i < W; i++)
			base[i] = s2[(g + i < groups ? g + i : groups - 1) / GROUPS];
		t->base = vf_load(base);
	}
	fit_range(k, LEN, tile, tiles, found);
}

/* Scales and minima of all blocks to codes and halves. */
INLINE void
quantize_scales(const struct ranges *found, bool weighted, bool cap, int blocks, uint16_t *half,
    float *whole, uint8_t code[][W])
{
	float lane[GROUPS][W], weight[GROUPS][W];
	vf x[GROUPS], w[GROUPS], d;
	vi q[GROUPS];

	for (int g = 0; g < GROUPS; g++) {
		for (int b = 0; b < BLOCKS; b++) {
			int i = (b < blocks ? b : 0) * GROUPS + g;

			lane[g][b] = found->scale[i];
			lane[g][BLOCKS + b] = found->min[i];
			weight[g][b] = weight[g][BLOCKS + b] = found->weight[i];
		}
		x[g] = vf_load(lane[g]);
		w[g] = vf_load(weight[g]);
	}
	d = weighted ? fit_positive(63, GROUPS, x, w, q) : fit_linear(63, GROUPS, x, q);
	vf_store_f16(half, d);
	vf_store(whole, vf_load_f16(half));
	for (int g = 0; g < GROUPS; g++)
		vi_store_u8(code[g], cap ? vi_min(q[g], vi_set1(63)) : q[g]);
}

/* The codes of a group, a byte each. */
INLINE vb
group_codes(const float *x, float scale, float min, int top)
{
	vi q[LEN / W];

	UNROLL
	for (int i = 0; i < LEN / W; i++) {
		q[i] = vi_near((vf_load(x + i * W) + vf_set1(min)) / vf_set1(scale));
		q[i] = vi_max(vi_min(q[i], vi_set1(top)), vi_set1(0));
	}
	return vb_pack(q);
}

INLINE void
encode(uint8_t *p, const float *x, size_t n, const float *qw, const struct walk *k, bool weighted)
{
	const int top = k->top, bytes = top == 15 ? 144 : 176;

	while (n > 0) {
		int blocks = n / N < BLOCKS ? (int)(n / N) : BLOCKS;
		struct ranges found;
		uint8_t code[GROUPS][W];
		uint16_t half[W];
		float whole[W];

		search(k, x, weighted ? qw : NULL, blocks * GROUPS, &found);
		/* Q4_K with an imatrix does without the cap. */
		quantize_scales(&found, weighted, !weighted || top == 31, blocks, half, whole, code);
		for (int b = 0; b < blocks; b++, p += bytes, x += N) {
			uint8_t fields[2 * GROUPS], back[2 * GROUPS];
			float line[2 * GROUPS];
			vb c[GROUPS], high;

			memcpy(p, &half[b], 2);
			memcpy(p + 2, &half[BLOCKS + b], 2);
			for (int g = 0; g < GROUPS; g++) {
				fields[g] = code[g][b];
				fields[GROUPS + g] = code[g][BLOCKS + b];
			}
			fields_pack(p + 4, fields, back);
			for (int g = 0; g < 2 * GROUPS; g++)
				line[g] = whole[g / GROUPS * BLOCKS + b] * (float)back[g];
			UNROLL
			for (int g = 0; g < GROUPS; g++) {
				if (line[g] != 0) {
					c[g] = group_codes(x + g * LEN, line[g], line[GROUPS + g], top);
				} else {
					uint8_t kept[LEN];

					range_codes(&found, b * GROUPS + g, LEN, top, x + g * LEN, kept);
					c[g] = vb_load(kept);
				}
			}
			if (top == 31) {
				high = c[0] >> 4;
				UNROLL
				for (int g = 1; g < GROUPS; g++)
					high |= c[g] >> 4 << g;
				vb_store(p + HEAD, high);
			}
			UNROLL
			for (int g = 0; g < GROUPS; g += 2)
				vb_store(p + bytes - N / 2 + g / 2 * LEN, (c[g] & 15) | c[g + 1] << 4);
		}
		n -= (size_t)blocks * N;
		if (weighted)
			qw += blocks * N;
	}
}

void
KERNEL(q4_k_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	static const struct walk plain = { 15, -1.0f, 0.1f, 20, BY_SPREAD, false };
	static const struct walk weighted = { 15, -0.9f, 0.05f, 36, BY_IMATRIX, false };

	if (qw)
		encode(dst, x, n, qw, &weighted, true);
	else
		encode(dst, x, n, NULL, &plain, false);
}

void
KERNEL(q5_k_from_f32)(void *dst, const float *x, size_t n, const float *qw)
{
	static const struct walk plain = { 31, -0.5f, 0.1f, 15, BY_SPREAD, false };
	static const struct walk weighted = { 31, -0.9f, 0.05f, 36, BY_IMATRIX, false };

	if (qw)
		encode(dst, x, n, qw, &weighted, true);
	else
		encode(dst, x, n, NULL, &plain, false);
}
