/* SPDX-License-Identifier: MIT */
/* numbers.cl -- bytes, halves, and the one order of float sums. */

FM_FN uint
load16(GLOBAL const uchar *p)
{
	return (uint)p[0] | (uint)p[1] << 8;
}

FM_FN uint
load32(GLOBAL const uchar *p)
{
	return load16(p) | load16(p + 2) << 16;
}

/* As include/apr/float.h has them. */
FM_FN float
f16_to(uint h)
{
	uint sign = (h & 0x8000) << 16, rest = h & 0x7fff;

	if (rest < 0x0400)
		return as_float(sign | as_uint((float)rest * 0x1p-24f));
	if (rest < 0x7c00)
		return as_float(sign | ((rest << 13) + (112u << 23)));
	return as_float(sign | 0x7f800000 | rest << 13);
}

FM_FN uint
f16_from(float f)
{
	uint u = as_uint(f), a = u & 0x7fffffff, sign = u >> 16 & 0x8000;

	if (a > 0x7f800000)
		return 0x7e00;
	if (a >= 0x47800000)
		return sign | 0x7c00;
	if (a < 0x38800000)
		return sign | (as_uint(as_float(a) + 0.5f) - 0x3f000000);
	a += 0xfff + (a >> 13 & 1);
	return sign | (a - (112u << 23)) >> 13;
}

FM_FN float
half_at(GLOBAL const uchar *p)
{
	return f16_to(load16(p));
}

/* 16 sums as one. */
FM_FN float
finish(SHARED(float, p))
{
	float t[8];

	for (int i = 0; i < 8; i++)
		t[i] = p[i] + p[i + 8];
	for (int i = 0; i < 4; i++)
		t[i] = t[i] + t[i + 4];
	t[0] = t[0] + t[2];
	t[1] = t[1] + t[3];
	return t[0] + t[1];
}
