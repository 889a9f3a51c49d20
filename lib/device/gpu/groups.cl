/* SPDX-License-Identifier: MIT */
/*
 * groups.cl -- types taken apart: of group g of 32 columns of a row its scales,
 * and word i of its codes, four signed bytes.  Layouts as lib/dot/unpack*.c.
 */
struct scales {
	float	s, m;
	int	k0, k1, mk0, mk1;
};

/* Bytes less n, for bytes and n below 128. */
FM_FN uint
less(uint word, uint n)
{
	return ((word | 0x80808080) - n * 0x01010101) ^ 0x80808080;
}

/* The bits of a nibble as bytes. */
FM_FN uint
spread(uint v)
{
	return (v & 1) | (v & 2) << 7 | (v & 4) << 14 | (v & 8) << 21;
}

/* Pairs of bits of a byte as bytes. */
FM_FN uint
spread2(uint v)
{
	return (v & 3) | (v & 12) << 6 | (v & 48) << 12 | (v & 192) << 18;
}

/* Elements 0-15 in the low nibbles, 16-31 in the high ones. */
FM_FN uint
nibbles(GLOBAL const uchar *p, uint i)
{
	return load32(p + i % 4 * 4) >> i / 4 * 4 & 0x0f0f0f0f;
}

FM_FN void
only(struct scales *k, float s)
{
	k->s = s;
}

FM_FN void
above(struct scales *k, float s, float m)
{
	k->s = s;
	k->m = -m;
}

FM_FN void q8_0_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)g * 34)); }
FM_FN uint q8_0_word(GLOBAL const uchar *row, uint g, uint i) { return load32(row + (ulong)g * 34 + 2 + 4 * i); }

FM_FN void q4_0_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)g * 18)); }
FM_FN uint q4_0_word(GLOBAL const uchar *row, uint g, uint i) { return less(nibbles(row + (ulong)g * 18 + 2, i), 8); }

FM_FN void
q4_1_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	above(k, half_at(row + (ulong)g * 20), half_at(row + (ulong)g * 20 + 2));
}
FM_FN uint q4_1_word(GLOBAL const uchar *row, uint g, uint i) { return nibbles(row + (ulong)g * 20 + 4, i); }

FM_FN void q5_0_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)g * 22)); }
FM_FN uint
q5_0_word(GLOBAL const uchar *row, uint g, uint i)
{
	GLOBAL const uchar *p = row + (ulong)g * 22;

	return less(nibbles(p + 6, i) | spread(load32(p + 2) >> 4 * i) << 4, 16);
}

FM_FN void
q5_1_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	above(k, half_at(row + (ulong)g * 24), half_at(row + (ulong)g * 24 + 2));
}
FM_FN uint
q5_1_word(GLOBAL const uchar *row, uint g, uint i)
{
	GLOBAL const uchar *p = row + (ulong)g * 24;

	return nibbles(p + 8, i) | spread(load32(p + 4) >> 4 * i) << 4;
}

FM_FN void q1_0_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)(g / 4) * 18)); }
FM_FN uint
q1_0_word(GLOBAL const uchar *row, uint g, uint i)
{
	uint bits = row[(ulong)(g / 4) * 18 + 2 + g % 4 * 4 + i / 2] >> i % 2 * 4;

	return less(spread(bits) << 1, 1);
}

FM_FN void q2_0_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)(g / 2) * 18)); }
FM_FN uint
q2_0_word(GLOBAL const uchar *row, uint g, uint i)
{
	return less(spread2(row[(ulong)(g / 2) * 18 + 2 + g % 2 * 8 + i]), 1);
}

/* Four 4-bit codes, one a byte, through a table. */
FM_FN uint
looked_up(TABLE(schar, table), uint codes)
{
	uint w = 0;

	for (int i = 0; i < 4; i++)
		w |= ((uint)table[codes >> 8 * i & 15] & 0xff) << 8 * i;
	return w;
}

CONSTANT schar e2m1[16] = {	/* doubled */
	0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12,
};
CONSTANT schar iq4[16] = {
	-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
};

FM_FN void
mxfp4_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	uint e = row[(ulong)g * 17];

	only(k, as_float(e < 2 ? 0x00200000u << e : (e - 1) << 23));
}
FM_FN uint mxfp4_word(GLOBAL const uchar *row, uint g, uint i) { return looked_up(e2m1, nibbles(row + (ulong)g * 17 + 1, i)); }

FM_FN float
ue4m3_half(uint c)
{
	uint rest = c & 0x7f;

	if (c == 0x7f)
		return 0;
	return rest < 8 ? (float)rest * 0x1p-10f : as_float((rest << 20) + (119u << 23));
}
FM_FN void
nvfp4_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *p = row + (ulong)(g / 2) * 36 + g % 2 * 2;

	k->s = ue4m3_half(p[0]);
	k->m = ue4m3_half(p[1]);
}
/* Each half has its low nibbles first. */
FM_FN uint
nvfp4_word(GLOBAL const uchar *row, uint g, uint i)
{
	GLOBAL const uchar *p = row + (ulong)(g / 2) * 36 + 4 + g % 2 * 16 + i / 4 * 8;

	return looked_up(e2m1, load32(p + i % 2 * 4) >> i % 4 / 2 * 4 & 0x0f0f0f0f);
}

/* Neighbours share a byte. */
FM_FN uint
neighbours(GLOBAL const uchar *p, uint i)
{
	uint v = load16(p + 2 * i);

	return (v & 15) | (v & 0xf0) << 4 | (v & 0xf00) << 8 | (v & 0xf000) << 12;
}

FM_FN void apr_q4_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)g * 18)); }
FM_FN uint apr_q4_word(GLOBAL const uchar *row, uint g, uint i) { return less(neighbours(row + (ulong)g * 18 + 2, i), 8); }

/* What has no products of integers says its flags here. */
enum { lattice_q4_flags = 1 };	/* MIN */
FM_FN void
lattice_q4_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	above(k, half_at(row + (ulong)g * 20), half_at(row + (ulong)g * 20 + 2));
}
FM_FN uint
lattice_q4_word(GLOBAL const uchar *row, uint g, uint i)
{
	return neighbours(row + (ulong)g * 20 + 4, i);
}

/* The one scale is there already. */
FM_FN void apr_q8_scales(GLOBAL const uchar *row, uint g, struct scales *k) { (void)row; (void)g; (void)k; }
FM_FN uint apr_q8_word(GLOBAL const uchar *row, uint g, uint i) { return load32(row + (ulong)g * 32 + 4 * i); }

/* Two bits each, four groups over one another. */
FM_FN uint
pairs(GLOBAL const uchar *p, uint g, uint i)
{
	return load32(p + g % 8 / 4 * 32 + 4 * i) >> g % 4 * 2 & 0x03030303;
}

FM_FN void
q2_k_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 84, *sc = b + g % 8 * 2;

	k->s = half_at(b + 80);
	k->m = half_at(b + 82);
	k->k0 = sc[0] & 15;
	k->k1 = sc[1] & 15;
	k->mk0 = sc[0] >> 4;
	k->mk1 = sc[1] >> 4;
}
FM_FN uint q2_k_word(GLOBAL const uchar *row, uint g, uint i) { return pairs(row + (ulong)(g / 8) * 84 + 16, g, i); }

FM_FN int
q3_k_scale(GLOBAL const uchar *s, uint h)
{
	return (int)((s[h % 8] >> h / 8 * 4 & 15) | (s[8 + h % 4] >> h / 4 * 2 & 3) << 4) - 32;
}
FM_FN void
q3_k_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 110;

	k->s = half_at(b + 108);
	k->k0 = q3_k_scale(b + 96, g % 8 * 2);
	k->k1 = q3_k_scale(b + 96, g % 8 * 2 + 1);
}
FM_FN uint
q3_k_word(GLOBAL const uchar *row, uint g, uint i)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 110;

	return less(pairs(b + 32, g, i) | (load32(b + 4 * i) >> g % 8 & 0x01010101) << 2, 4);
}

/* Six bits of scale and of minimum from Q4_K's and Q5_K's twelve bytes. */
FM_FN void
fields(GLOBAL const uchar *b, uint g, struct scales *k)
{
	GLOBAL const uchar *s = b + 4;
	int scale, min;

	if (g < 4) {
		scale = s[g] & 63;
		min = s[g + 4] & 63;
	} else {
		scale = (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
		min = s[g + 4] >> 4 | s[g] >> 6 << 4;
	}
	k->s = half_at(b) * (float)scale;
	k->m = half_at(b + 2) * (float)min;
}
FM_FN void q4_k_scales(GLOBAL const uchar *row, uint g, struct scales *k) { fields(row + (ulong)(g / 8) * 144, g % 8, k); }
FM_FN uint
q4_k_word(GLOBAL const uchar *row, uint g, uint i)
{
	return load32(row + (ulong)(g / 8) * 144 + 16 + g % 8 / 2 * 32 + 4 * i) >> g % 2 * 4 & 0x0f0f0f0f;
}
FM_FN void q5_k_scales(GLOBAL const uchar *row, uint g, struct scales *k) { fields(row + (ulong)(g / 8) * 176, g % 8, k); }
FM_FN uint
q5_k_word(GLOBAL const uchar *row, uint g, uint i)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 176;

	return (load32(b + 48 + g % 8 / 2 * 32 + 4 * i) >> g % 2 * 4 & 0x0f0f0f0f) |
	    (load32(b + 16 + 4 * i) >> g % 8 & 0x01010101) << 4;
}

FM_FN void
q6_k_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 210;

	k->s = half_at(b + 208);
	k->k0 = (schar)b[192 + g % 8 * 2];
	k->k1 = (schar)b[193 + g % 8 * 2];
}
FM_FN uint
q6_k_word(GLOBAL const uchar *row, uint g, uint i)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 210;
	uint high = g % 8 / 4, at = g % 4;

	return less((load32(b + high * 64 + at % 2 * 32 + 4 * i) >> at / 2 * 4 & 0x0f0f0f0f) |
	    (load32(b + 128 + high * 32 + 4 * i) >> at * 2 & 0x03030303) << 4, 32);
}

FM_FN void iq4_nl_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)g * 18)); }
FM_FN uint iq4_nl_word(GLOBAL const uchar *row, uint g, uint i) { return looked_up(iq4, nibbles(row + (ulong)g * 18 + 2, i)); }

FM_FN void
iq4_xs_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 136;
	uint h = g % 8, scale = (b[4 + h / 2] >> h % 2 * 4 & 15) | (load16(b + 2) >> 2 * h & 3) << 4;

	only(k, half_at(b) * (float)((int)scale - 32));
}
FM_FN uint
iq4_xs_word(GLOBAL const uchar *row, uint g, uint i)
{
	return looked_up(iq4, nibbles(row + (ulong)(g / 8) * 136 + 8 + g % 8 * 16, i));
}

FM_FN void tq1_0_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)(g / 8) * 54 + 52)); }
/* 5 trits a byte: 32 bytes, 16 bytes, then 4 of 4 trits. */
FM_FN uint
tq1_0_word(GLOBAL const uchar *row, uint g, uint i)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 54;
	uint w = 0;

	for (uint j = 0; j < 4; j++) {
		uint e = g % 8 * 32 + 4 * i + j, v;
		uint at = e < 160 ? e % 32 : e < 240 ? 32 + (e - 160) % 16 : 48 + (e - 240) % 4;
		uint t = e < 160 ? e / 32 : e < 240 ? (e - 160) / 16 : (e - 240) / 4;

		v = b[at] * (t == 0 ? 1u : t == 1 ? 3u : t == 2 ? 9u : t == 3 ? 27u : 81u) & 255;
		w |= (v * 3 >> 8) << 8 * j;
	}
	return less(w, 1);
}

FM_FN void tq2_0_scales(GLOBAL const uchar *row, uint g, struct scales *k) { only(k, half_at(row + (ulong)(g / 8) * 66 + 64)); }
FM_FN uint tq2_0_word(GLOBAL const uchar *row, uint g, uint i) { return less(pairs(row + (ulong)(g / 8) * 66, g, i), 1); }

/* The codebook types: a point of the grid is 8 or 4 packed codes. */
FM_FN uint
even_signs(uint s)
{
	uint p = s ^ s >> 4;

	p ^= p >> 2;
	p ^= p >> 1;
	return s | (p & 1) << 7;
}

/* Bytes, none of them 0, negative where bits 4 (i mod 2) and on of signs say so. */
FM_FN uint
signed4(uint word, uint signs, uint i)
{
	uint one = spread(signs >> i % 2 * 4);

	return (word ^ one * 0xff) + one;
}

/* The four of a point's eight codes that word i has. */
FM_FN uint
codes2(uint point, uint i)
{
	return spread2(point >> i % 2 * 8);
}

FM_FN uint
codes3(uint point)
{
	return (point & 7) | (point & 0x38) << 5 | (point & 0x1c0) << 10 | (point & 0xe00) << 15;
}

/* Levels 8, 25, 43. */
FM_FN uint
levels2(uint point, uint signs, uint i)
{
	uint c = codes2(point, i);

	return signed4(0x08080808 + c * 17 + (c >> 1 & 0x01010101), signs, i);
}

/* Scales are odd eighths. */
FM_FN void
odd(struct scales *k, float d, uint a, uint b)
{
	k->s = d * 0.125f;
	k->k0 = (int)(2 * a + 1);
	k->k1 = (int)(2 * b + 1);
}

FM_FN void
iq2_xxs_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 66;

	only(k, half_at(b) * (0.5f + (float)(load32(b + 6 + g % 8 * 8) >> 28)) * 0.25f);
}
FM_FN uint
iq2_xxs_word(GLOBAL const uchar *row, uint g, uint i, GLOBAL const ushort *grid)
{
	GLOBAL const uchar *q = row + (ulong)(g / 8) * 66 + 2 + g % 8 * 8;

	return levels2(grid[q[i / 2]], even_signs(load32(q + 4) >> 7 * (i / 2) & 127), i);
}

FM_FN void
iq2_xs_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 74;
	uint scale = b[66 + g % 8];

	odd(k, half_at(b), scale & 15, scale >> 4);
}
FM_FN uint
iq2_xs_word(GLOBAL const uchar *row, uint g, uint i, GLOBAL const ushort *grid)
{
	uint at = load16(row + (ulong)(g / 8) * 74 + 2 + g % 8 * 8 + i / 2 * 2);

	return levels2(grid[at & 511], even_signs(at >> 9), i);
}

FM_FN void
iq2_s_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 82;
	uint scale = b[74 + g % 8];

	odd(k, half_at(b), scale & 15, scale >> 4);
}
FM_FN uint
iq2_s_word(GLOBAL const uchar *row, uint g, uint i, GLOBAL const ushort *grid)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 82;
	uint at = g % 8 * 4 + i / 2;

	return levels2(grid[b[2 + at] | (b[66 + g % 8] >> i / 2 * 2 & 3) << 8], b[34 + at], i);
}

FM_FN void
iq3_xxs_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 98;

	only(k, half_at(b) * (0.5f + (float)(load32(b + 66 + g % 8 * 4) >> 28)) * 0.5f);
}
/* Levels 4, 12 .. 52, and 62 for the last. */
FM_FN uint
iq3_xxs_word(GLOBAL const uchar *row, uint g, uint i, GLOBAL const ushort *grid)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 98;
	uint c = codes3(grid[b[2 + g % 8 * 8 + i]]), last = c & c >> 1 & c >> 2 & 0x01010101;

	return signed4(0x04040404 + c * 8 + last * 2,
	    even_signs(load32(b + 66 + g % 8 * 4) >> 7 * (i / 2) & 127), i);
}

FM_FN void
iq3_s_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 110;
	uint run = g % 8;

	only(k, half_at(b) * (float)(1 + 2 * (b[106 + run / 2] >> run % 2 * 4 & 15)));
}
FM_FN uint
iq3_s_word(GLOBAL const uchar *row, uint g, uint i, GLOBAL const ushort *grid)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 110;
	uint run = g % 8;
	uint c = codes3(grid[b[2 + 8 * run + i] | (b[66 + run] >> i & 1) << 8]);

	return signed4(0x01010101 + c * 2, b[74 + 4 * run + i / 2], i);
}

/* Eighths: 8 (code - 1) and one more or less. */
FM_FN uint
levels1(uint point, uint i, uint down)
{
	return less(codes2(point, i) * 8, down ? 9 : 7);
}

FM_FN void
iq1_s_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 50;

	only(k, half_at(b) * (float)(2 * (load16(b + 34 + g % 8 * 2) >> 12 & 7) + 1) * 0.125f);
}
FM_FN uint
iq1_s_word(GLOBAL const uchar *row, uint g, uint i, GLOBAL const ushort *grid)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 50;
	uint high = load16(b + 34 + g % 8 * 2);

	return levels1(grid[b[2 + g % 8 * 4 + i / 2] | (high >> 3 * (i / 2) & 7) << 8], i,
	    high >> 15);
}

FM_FN void
iq1_m_scales(GLOBAL const uchar *row, uint g, struct scales *k)
{
	GLOBAL const uchar *s = row + (ulong)(g / 8) * 56 + 48;
	uint sc = load16(s + g % 8 / 2 * 2) >> g % 2 * 6, d = 0;

	for (uint l = 0; l < 4; l++)
		d |= (load16(s + 2 * l) >> 12) << 4 * l;
	odd(k, f16_to(d), sc & 7, sc >> 3 & 7);
}
FM_FN uint
iq1_m_word(GLOBAL const uchar *row, uint g, uint i, GLOBAL const ushort *grid)
{
	GLOBAL const uchar *b = row + (ulong)(g / 8) * 56;
	uint l = i / 2, high = b[32 + g % 8 * 2 + l / 2] >> l % 2 * 4;

	return levels1(grid[b[g % 8 * 4 + l] | (high & 7) << 8], i, high & 8);
}
