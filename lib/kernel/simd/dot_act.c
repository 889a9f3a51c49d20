/* SPDX-License-Identifier: MIT */
/* dot_act.c -- activations as int8 in groups of 32. */
#include <float.h>
#include <math.h>

#include "dot.h"

enum { V = DOT_GROUP / W };

static void
group(const float *x, struct dot_act *a)
{
	vi most = vi_set1(0), q[V], half[2] = { vi_set1(0), vi_set1(0) };
	vf v[V];
	float max, id;
	int32_t bits, lanes[W], sum[2] = { 0, 0 };

	UNROLL
	for (int k = 0; k < V; k++) {
		v[k] = vf_load(x + W * k);
		most = vi_max(most, vf_bits(vf_abs(v[k])));
	}
	bits = -vi_hmin(-most);
	memcpy(&max, &bits, sizeof max);
	id = 0;
	a->s = bits < 0x7f800000 ? max / 127 : (float)NAN;
	if (bits < 0x7f800000 && 127 / max <= FLT_MAX)
		id = 127 / max;
	else
		UNROLL
		for (int k = 0; k < V; k++)
			v[k] = vf_set1(0);
	UNROLL
	for (int k = 0; k < V; k++) {
		q[k] = vi_rounded(v[k] * vf_set1(id));
		half[k * W / 16] += q[k];
	}
	vb_store(a->q, vb_pack(q));
	for (int h = 0; h < 2; h++) {
		vi_store(lanes, half[h]);
		for (int i = 0; i < W; i++)
			sum[h] += lanes[i];
		a->zero[h] = -128 * sum[h];
		a->hs[h] = a->s * (float)sum[h];
	}
	a->ms = a->s * (float)(sum[0] + sum[1]);
}

void
KERNEL(act)(const struct dot_acts *a, const float *x, size_t cols, size_t ld, size_t from, size_t to)
{
	float last[DOT_GROUP] = { 0 };
	size_t whole = cols / DOT_GROUP;

	for (size_t c = from; c < to; c++) {
		const float *v = x + c * ld;

		for (size_t i = 0; i < whole; i++)
			group(v + i * DOT_GROUP, dot_act(a, c, i));
		if (whole < a->groups) {
			memcpy(last, v + whole * DOT_GROUP, (cols - whole * DOT_GROUP) * sizeof *v);
			group(last, dot_act(a, c, whole));
		}
	}
}
