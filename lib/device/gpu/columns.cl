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

/* A work-group of 64 a part; 16 of them sum. */
KERNEL
norm(BUF(const float, w), BUF(const float, bias), BUF(const float, x), BUF(float, y), uint ldx,
    uint ldy, uint len, float eps, uint centered)
{
	LOCAL float p[16];
	GLOBAL const float *in = CAT(float, x) + (ulong)GROUP(1) * ldx + (ulong)GROUP(0) * len;
	GLOBAL float *out = AT(float, y) + (ulong)GROUP(1) * ldy + (ulong)GROUP(0) * len;
	uint lane = LANE();
	float mean = 0, sum = 0, inv;

	if (centered) {
		if (lane < 16) {
			for (uint i = lane; i < len; i += 16)
				sum += in[i];
			p[lane] = sum;
		}
		BARRIER();
		mean = finish(p) / (float)len;
		BARRIER();
		sum = 0;
	}
	if (lane < 16) {
		for (uint i = lane; i < len; i += 16) {
			float v = centered ? in[i] - mean : in[i];

			sum = fma(v, v, sum);
		}
		p[lane] = sum;
	}
	BARRIER();
	inv = 1.0f / sqrt(finish(p) / (float)len + eps);
	for (uint i = lane; i < len; i += 64) {
		float v = (centered ? in[i] - mean : in[i]) * inv;

		if (HAS(w))
			v = v * CAT(float, w)[i];
		out[i] = HAS(bias) ? v + CAT(float, bias)[i] : v;
	}
}

/* An item a pair. */
KERNEL
rope(BUF(float, x), uint ld, uint step, uint n, BUF(const float, cos), BUF(const float, sin),
    uint ldt, uint adjacent)
{
	uint i = ITEM(0);
	GLOBAL float *v = AT(float, x) + (ulong)GROUP(2) * ld + (ulong)GROUP(1) * step;
	GLOBAL float *a = adjacent ? v + 2 * i : v + i, *b = adjacent ? a + 1 : a + n;
	float c, s, p, q;

	if (i >= n)
		return;
	c = CAT(float, cos)[(ulong)GROUP(2) * ldt + i];
	s = CAT(float, sin)[(ulong)GROUP(2) * ldt + i];
	p = *a;
	q = *b;
	*a = p * c - q * s;
	*b = q * c + p * s;
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
activate(BUF(float, y), BUF(const float, g), uint ld, uint width, uint gelu)
{
	uint i = ITEM(0);
	GLOBAL float *out = AT(float, y) + (ulong)GROUP(1) * ld;
	float v;

	if (i >= width)
		return;
	v = HAS(g) ? CAT(float, g)[(ulong)GROUP(1) * ld + i] : out[i];
	v = gelu ? fm_gelu(v) : fm_silu(v);
	out[i] = HAS(g) ? v * out[i] : v;
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
