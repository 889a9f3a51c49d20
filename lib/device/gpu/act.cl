/* SPDX-License-Identifier: MIT */
/*
 * act.cl -- activations as int8 in groups of 32 columns, as lib/dot/act.c
 * makes them: 8 words of codes, and beside them scale, scale times the sum,
 * and times the sums of the halves.  An item a group.  With q1 and s1, which
 * the same gave before, it is what they leave of x that is quantized.
 */
#define LEFT(i) \
	(first ? v[i] - by[0] * (float)(schar)(first[(i) / 4] >> 8 * ((i) % 4)) : v[i])

KERNEL
quantize(BUF(const float, x), BUF(const uint, q1), BUF(const float, s1), BUF(uint, q), BUF(float, s),
    ulong ldx, uint cols, uint groups)
{
	uint g = ITEM(0), len = cols - 32 * g < 32 ? cols - 32 * g : 32, most = 0;
	GLOBAL const float *v = CAT(float, x) + GROUP(1) * ldx + 32 * (ulong)g;
	GLOBAL uint *to = AT(uint, q) + ((ulong)GROUP(1) * groups + g) * 8;
	GLOBAL float *f = AT(float, s) + ((ulong)GROUP(1) * groups + g) * 4;
	GLOBAL const uint *first = HAS(q1) ? CAT(uint, q1) + ((ulong)GROUP(1) * groups + g) * 8 : 0;
	GLOBAL const float *by = CAT(float, s1) + ((ulong)GROUP(1) * groups + g) * 4;
	float max, id, scale;
	int sum[2];

	if (g >= groups)
		return;
	for (uint i = 0; i < len; i++) {
		uint u = as_uint(LEFT(i)) & 0x7fffffff;

		most = u > most ? u : most;
	}
	max = as_float(most);
	id = 127.0f / max;
	id = most < 0x7f800000 && as_uint(id) < 0x7f800000 ? id : 0;
	scale = most < 0x7f800000 ? max / 127.0f : as_float(0x7fc00000);
	sum[0] = sum[1] = 0;
	UNROLL
	for (uint i = 0; i < 8; i++) {
		uint word = 0;

		for (uint j = 0; j < 4; j++) {
			uint at = 4 * i + j;
			int code = 0;

			if (at < len && id > 0)
				code = (int)((LEFT(at) * id + 12582912.0f) - 12582912.0f);
			sum[i / 4] += code;
			word |= ((uint)code & 0xff) << 8 * j;
		}
		to[i] = word;
	}
	f[0] = scale;
	f[1] = scale * (float)(sum[0] + sum[1]);
	f[2] = scale * (float)sum[0];
	f[3] = scale * (float)sum[1];
}
