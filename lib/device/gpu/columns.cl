/* SPDX-License-Identifier: MIT */
/* columns.cl -- what is done to each element, pair or part of a column. */

/* Runs of words, ld words apart. */
KERNEL
zero(BUF(uint, p), ulong ld, ulong words)
{
	GLOBAL uint *x = AT(uint, p) + GROUP(1) * ld;

	if (ITEM(0) < words)
		x[ITEM(0)] = 0;
}

KERNEL
gate(BUF(float, y), BUF(const float, g), uint ldy, uint ldg, uint head_dim, uint step)
{
	uint i = ITEM(0);
	GLOBAL float *out = AT(float, y) + (ulong)GROUP(2) * ldy + (ulong)GROUP(1) * head_dim;

	if (i < head_dim)
		out[i] = out[i] * fm_sigmoid(CAT(float, g)[(ulong)GROUP(2) * ldg +
		    (ulong)GROUP(1) * step + i]);
}

KERNEL
add(BUF(float, y), uint ldy, BUF(const float, x), uint ldx, float by, uint width)
{
	uint i = ITEM(0);
	GLOBAL float *out = AT(float, y) + (ulong)GROUP(1) * ldy;
	float v;

	if (i >= width)
		return;
	v = CAT(float, x)[(ulong)GROUP(1) * ldx + i];
	out[i] = out[i] + (by != 1 ? v * by : v);
}

/* An item an element of all columns, in their order: y may be x. */
KERNEL
gather(BUF(float, y), BUF(const float, x), BUF(const uint, from), uint ldy, uint ldx, uint n,
    uint width)
{
	uint k = ITEM(0);

	if (k < width)
		for (uint i = 0; i < n; i++)
			AT(float, y)[(ulong)i * ldy + k] =
			    CAT(float, x)[(ulong)CAT(uint, from)[i] * ldx + k];
}

KERNEL
scatter(BUF(float, y), BUF(const float, x), BUF(const uint, to), BUF(const float, w), uint ldy,
    uint ldx, uint n, uint width)
{
	uint k = ITEM(0);

	if (k >= width)
		return;
	for (uint i = 0; i < n; i++) {
		GLOBAL float *out = AT(float, y) + (ulong)CAT(uint, to)[i] * ldy + k;

		*out = fma(CAT(float, w)[i], CAT(float, x)[(ulong)i * ldx + k], *out);
	}
}
