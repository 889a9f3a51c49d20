/* SPDX-License-Identifier: MIT */
/*
 * plain.cl -- types of one number an element: weight `at` of those at w, as
 * lib/type/plain.c has it.  (Scale and grid are what other types want.)
 */
#define PLAIN(T, VALUE) \
FM_FN float \
T##_value(GLOBAL const uchar *w, ulong at, float scale, GLOBAL const ushort *grid) \
{ \
	(void)scale; \
	(void)grid; \
	return VALUE; \
}

/* To nearest even, in integers: not every device has doubles. */
FM_FN float
f64_to(ulong u)
{
	uint sign = (uint)(u >> 32) & 0x80000000, e = (uint)(u >> 52) & 0x7ff, to;
	ulong m = u & 0xfffffffffffffUL, rest, tie = 0x8000000000000000UL;

	if (e == 0x7ff)
		return as_float(sign | 0x7f800000 | (m ? 0x400000 : 0));
	if (e >= 1023 + 128)
		return as_float(sign | 0x7f800000);
	if (e < 1023 - 150)
		return as_float(sign);
	if (e > 1023 - 127) {
		to = (e - (1023 - 127)) << 23 | (uint)(m >> 29);
		rest = m << 35;
	} else {	/* of the smallest there are */
		m |= 0x10000000000000UL;
		to = (uint)(m >> (926 - e));
		rest = m << (64 - (926 - e));
	}
	if (rest > tie || (rest == tie && (to & 1)))
		to++;
	return as_float(sign | to);
}

FM_FN float
f8_e4m3_to(uint c)
{
	uint sign = (c & 0x80) << 24, rest = c & 0x7f;

	if (rest == 0x7f)
		return as_float(sign | 0x7fc00000);
	if (rest < 8)
		return as_float(sign | as_uint((float)rest * 0x1p-9f));
	return as_float(sign | ((rest << 20) + (120u << 23)));
}

PLAIN(f32, ((GLOBAL const float *)w)[at])
PLAIN(f16, half_at(w + 2 * at))
PLAIN(bf16, as_float(load16(w + 2 * at) << 16))
PLAIN(f64, f64_to(load32(w + 8 * at) | (ulong)load32(w + 8 * at + 4) << 32))
PLAIN(f8_e4m3, f8_e4m3_to(w[at]))
PLAIN(f8_e5m2, f16_to((uint)w[at] << 8))
