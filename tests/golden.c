/* SPDX-License-Identifier: MIT */
/*
 * golden.c -- the number types against hashes of what ggml and aprender
 * write, and against themselves.
 *
 *	golden [TYPE]		just the hashes of one
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apr/kernel.h"
#include "apr/type.h"

enum { COUNT = 65536, ROW = 4096 };

static const struct golden {
	char		 input;
	const char	*type;
	bool		 weighted;
	uint64_t	 q, dq;		/* hash of the blocks, of the floats */
} goldens[] = {
	{ 'A', "Q4_0", false,
	    0x80c27476fbee6ffd, 0x106f7f342fa90acb },
	{ 'A', "Q4_1", false,
	    0x6335c1c052127013, 0x07c9f225dce03a0a },
	{ 'A', "Q5_0", false,
	    0xe3ffa8d2880687b3, 0x361f49812d58cd34 },
	{ 'A', "Q5_1", false,
	    0xd60a0a637fd7d332, 0x31ca821eaae4c2ca },
	{ 'A', "Q8_0", false,
	    0x99103a3308b26d72, 0xa39882bf463c281e },
	{ 'A', "Q2_K", false,
	    0xd453f065a2ead655, 0x1ede4c9af14f7a9b },
	{ 'A', "Q3_K", false,
	    0xa9675fb10dccea83, 0xbb33d1933e1cb4a1 },
	{ 'A', "Q4_K", false,
	    0xf8be773e9a18f94d, 0xa0413b954c742f77 },
	{ 'A', "Q5_K", false,
	    0x3e9d40f83a0cb0dd, 0xe2173456f1eb4cb6 },
	{ 'A', "Q6_K", false,
	    0x9650617038b98ebd, 0x319e6224f34682f1 },
	{ 'A', "IQ4_NL", false,
	    0x62537e3b226d78d9, 0x32c115007802814a },
	{ 'A', "IQ4_XS", false,
	    0x36f7ce4582521a27, 0x753a1f7e1ff506a9 },
	{ 'A', "MXFP4", false,
	    0x4c7cc906142e0a4f, 0x40ba084d15815836 },
	{ 'A', "NVFP4", false,
	    0x1c2bd7f7a6a213ab, 0x7e0fea4d5d19982a },
	{ 'A', "TQ1_0", false,
	    0x4d8dd71a241ea870, 0xf0f4f8972cea9a82 },
	{ 'A', "TQ2_0", false,
	    0x9edada7ed97ffe01, 0xf0f4f8972cea9a82 },
	{ 'A', "Q2_K", true,
	    0xdc6bdc497929aec9, 0x21cc3edaf3740719 },
	{ 'A', "Q3_K", true,
	    0xd9a9321a89dcc6ae, 0x48c2b3fe714c16f3 },
	{ 'A', "Q4_K", true,
	    0x70ff809342d40f22, 0xca8660efac6d4515 },
	{ 'A', "Q5_K", true,
	    0xeb7f0f8d2f855601, 0x561b404920340d73 },
	{ 'A', "Q6_K", true,
	    0x2ce0160b541d3d65, 0xa580272b3ea0504d },
	{ 'A', "Q4_0", true,
	    0x8b59e10e4a9ca174, 0xa6ff5ace0a6cac68 },
	{ 'A', "Q1_0", false,
	    0xc31693ced120c784, 0x0a6f7758bb343203 },
	{ 'A', "Q2_0", false,
	    0x27f8a7314eeb35f6, 0x73d6e00abb25b90c },
	{ 'A', "Q4_1", true,
	    0xeabaabc5a135ab81, 0x817797bf849be6f2 },
	{ 'A', "Q5_0", true,
	    0x3c396b9a93c677a6, 0xda2f4a4537793cd1 },
	{ 'A', "Q5_1", true,
	    0xb4ea2bcd982a1845, 0xa52395e271394bab },
	{ 'A', "IQ4_NL", true,
	    0xa993ace719572223, 0x1d639339399cd01d },
	{ 'A', "IQ4_XS", true,
	    0x3c3d77915a682bc7, 0xb43df6f4d38760b2 },
	{ 'A', "IQ1_M", false,
	    0xcac6f1455ff9b5a4, 0x79901856fb8d0549 },
	{ 'A', "IQ2_S", false,
	    0xfb7c701dda65e9a3, 0xe29fd131faf17fa7 },
	{ 'A', "IQ3_XXS", false,
	    0xb875048c0bcf9bb3, 0xd770d6dac7ed3b7c },
	{ 'A', "IQ3_S", false,
	    0xc61ec5948040af69, 0x93b718fba39cc8a0 },
	{ 'A', "IQ1_S", true,
	    0xb3a52d6cb1a56e04, 0xbe3beedef818249c },
	{ 'A', "IQ1_M", true,
	    0x9bbb0e91d113d303, 0x4ae442431ebbffd1 },
	{ 'A', "IQ2_XXS", true,
	    0x465843a13f4deef3, 0x8076d6d5e82ebfc0 },
	{ 'A', "IQ2_XS", true,
	    0x53d19c66c9cea442, 0xa09c4945d12e4aa8 },
	{ 'A', "IQ2_S", true,
	    0x0c4af3616f35eb79, 0x161fac6db4de70e0 },
	{ 'A', "IQ3_XXS", true,
	    0x4ad18e44d06dece4, 0x548db54f090d0ba9 },
	{ 'A', "IQ3_S", true,
	    0xb735919637f9abe9, 0x89d304df5b94c0b7 },
	{ 'B', "Q4_0", false,
	    0xfb905bbed0c1741e, 0xaedf3d88ccb4a6fa },
	{ 'B', "Q4_1", false,
	    0xe59ef35230f0211f, 0xa4b7fa24cbe271d7 },
	{ 'B', "Q5_0", false,
	    0x122f0206c361d8da, 0x6b8ab914ad47a28e },
	{ 'B', "Q5_1", false,
	    0x7c037bd57965ed09, 0x45c04a2ca960120c },
	{ 'B', "Q8_0", false,
	    0x953fad2871ddfc47, 0x1cbb84d533e91488 },
	{ 'B', "Q2_K", false,
	    0xb7973800cdd559df, 0xec6d4d667aab48c8 },
	{ 'B', "Q3_K", false,
	    0xb2aa7644c67b9d74, 0x2ef161751aeec36d },
	{ 'B', "Q4_K", false,
	    0xa9b0da7ceab10956, 0x081e6d5cf56aad98 },
	{ 'B', "Q5_K", false,
	    0x46becddfc964afa7, 0x40fd4c0e7953f5c8 },
	{ 'B', "Q6_K", false,
	    0x5f91e487cadd743f, 0x87dc674f5721fc40 },
	{ 'B', "IQ4_NL", false,
	    0xdad3214f94a7b4dd, 0xdcdd60d7238e07be },
	{ 'B', "IQ4_XS", false,
	    0x714b31e4b027b355, 0x758189d8befd40b3 },
	{ 'B', "MXFP4", false,
	    0xeef15e8c6f92d8bd, 0xc72a18841e828da0 },
	{ 'B', "NVFP4", false,
	    0x5f30ac537d13fdd4, 0xcbe80e6d71b33f7d },
	{ 'B', "TQ1_0", false,
	    0xd420c6b8311310ff, 0x6c81cd96a6f337ab },
	{ 'B', "TQ2_0", false,
	    0x78f12bc14a675d4d, 0x6c81cd96a6f337ab },
	{ 'B', "Q2_K", true,
	    0x1bd2f49a367664b7, 0x57f266c0e2984bb0 },
	{ 'B', "Q3_K", true,
	    0x77d98ee333ac09ed, 0xfab9c23a657e8b9f },
	{ 'B', "Q4_K", true,
	    0xa56200f6c2c3516a, 0xc80f3e1aaee73546 },
	{ 'B', "Q5_K", true,
	    0x8fb12c1e8b5ba72c, 0xb2f4e641570ab707 },
	{ 'B', "Q6_K", true,
	    0x2f660cd07e4cdf0c, 0xc0ee43d045afc2c6 },
	{ 'B', "Q4_0", true,
	    0x218c1dbdeff2b4ad, 0x31e75890abc878aa },
	{ 'B', "Q1_0", false,
	    0x46a111638f0cebf8, 0x2cdd6f1d0aa4cd03 },
	{ 'B', "Q2_0", false,
	    0x27430eff7967dafa, 0xd1afca60d556213f },
	{ 'B', "Q4_1", true,
	    0x65c01d0ff8b5ece9, 0x1cded382bf3ffde4 },
	{ 'B', "Q5_0", true,
	    0x3f09a8c362a44762, 0x5bb8120e0327042b },
	{ 'B', "Q5_1", true,
	    0x6572ec5387aae1d7, 0xb4aceb4bd98415a6 },
	{ 'B', "IQ4_NL", true,
	    0xe2aa85daa7c7bf13, 0xb10fc954855badee },
	{ 'B', "IQ4_XS", true,
	    0x68dac7d07258d954, 0xeaf2bae1bafd681e },
	{ 'B', "IQ1_M", false,
	    0x7f7fcb03220caa53, 0x087db84aba1e86d8 },
	{ 'B', "IQ2_S", false,
	    0xdab1eca469bcc1a4, 0x6c11fa9849667934 },
	{ 'B', "IQ3_XXS", false,
	    0x12b05368fd261518, 0xfd1855b6497f5d07 },
	{ 'B', "IQ3_S", false,
	    0xf453789af2a26dd0, 0x7dd3fcb1d1c100f6 },
	{ 'B', "IQ1_S", true,
	    0xb2bb5dd9c6aed3c0, 0x60dc8dfee290dc03 },
	{ 'B', "IQ1_M", true,
	    0x18bad0c3c42603f2, 0x6f7110e7643c564e },
	{ 'B', "IQ2_XXS", true,
	    0x94a47467c9c314a1, 0x084043f2284aa12f },
	{ 'B', "IQ2_XS", true,
	    0x9ce6e72f3ebcc017, 0x5769a8b72673a873 },
	{ 'B', "IQ2_S", true,
	    0xc53218af76fa41ad, 0xd76f26985ef301bb },
	{ 'B', "IQ3_XXS", true,
	    0x83a4ff83f467e079, 0x411c196386b9e0bf },
	{ 'B', "IQ3_S", true,
	    0xeef29f4090db27f0, 0x887956f83e53ea38 },
};

static int passed, failed;

static void
check(bool ok, const char *what, const char *which)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAIL %s %s\n", what, which);
}

/* FNV-1a, but for the starting value. */
static uint64_t
fnv(const void *data, size_t n)
{
	const unsigned char *p = data;
	uint64_t h = 1469598103934665603u;

	while (n--)
		h = (h ^ *p++) * 1099511628211u;
	return h;
}

static float
float_of(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof f);
	return f;
}

static uint32_t
bits_of(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof u);
	return u;
}

static void
fill(float *x, char input)
{
	uint64_t s = 1;
	int i;

	for (i = 0; i < COUNT; i++) {
		s = s * 6364136223846793005u + 1442695040888963407u;
		x[i] = (float)((int)(s >> 40) - 8388608) / 8388608;
		if (input == 'B')
			x[i] = x[i] * x[i] * x[i];
	}
}

static size_t
blocks_bytes(const struct type *t, size_t n)
{
	return (n + t->block - 1) / t->block * t->bytes;
}

static void
encode_by(type_encode *f, const struct type *t, unsigned char *q, const float *x,
    const float *qw)
{
	size_t i, step = blocks_bytes(t, ROW);

	for (i = 0; i < COUNT / ROW; i++)
		f(q + i * step, x + i * ROW, ROW, qw);
}

static void
encode(const struct type *t, unsigned char *q, const float *x, const float *qw)
{
	encode_by(t->from_f32, t, q, x, qw);
}

/* The same from every set of kernels here, and from what programs get. */
static void
test_kernels(const struct golden *g, const struct type *t, const float *x,
    float *y, unsigned char *q, const float *qw, const char *which)
{
	static const char *const names[] = { "avx2", "avx512", "neon", NULL };
	type_encode *to;
	type_decode *from;
	const char *what;
	int i;

	for (i = 0; i < 4; i++) {
		const struct kernels *k = names[i] ? kernels_named(names[i]) : NULL;

		if (names[i] && !k)
			continue;
		to = names[i] ? k->from_f32[t->ggml] : type_encoder(t, EFFORT_REFERENCE);
		from = names[i] ? k->to_f32[t->ggml] : type_decoder(t);
		what = names[i] ? names[i] : "program";
		if (to) {
			memset(q, 0x55, blocks_bytes(t, COUNT));
			encode_by(to, t, q, x, qw);
			check(fnv(q, blocks_bytes(t, COUNT)) == g->q, what, which);
		}
		if (from) {
			encode(t, q, x, qw);
			from(y, q, COUNT);
			check(fnv(y, COUNT * 4) == g->dq, what, which);
		}
	}
}

static void
test_goldens(const char *only, float *x, float *y, unsigned char *q)
{
	const struct golden *g;
	const struct type *t;
	float qw[ROW];
	char which[64];
	size_t i;

	for (i = 0; i < ROW; i++)
		qw[i] = (float)(i % 7 + 1) * 0.125f;
	fill(x, 'A');
	check(fnv(x, COUNT * 4) == 0xd09b6f5af7442c52, "input", "A");
	fill(x, 'B');
	check(fnv(x, COUNT * 4) == 0x1834306d6f7de133, "input", "B");
	for (g = goldens; g < goldens + sizeof goldens / sizeof *goldens;
	    g++) {
		if (only && strcmp(g->type, only))
			continue;
		snprintf(which, sizeof which, "%c %s%s", g->input, g->type,
		    g->weighted ? " im" : "");
		t = type_by_name(g->type);
		check(t && t->from_f32 && t->to_f32, "type", which);
		if (!t || !t->from_f32 || !t->to_f32)
			continue;
		fill(x, g->input);
		encode(t, q, x, g->weighted ? qw : NULL);
		check(fnv(q, blocks_bytes(t, COUNT)) == g->q, "q", which);
		t->to_f32(y, q, COUNT);
		check(fnv(y, COUNT * 4) == g->dq, "dq", which);
		test_kernels(g, t, x, y, q, g->weighted ? qw : NULL, which);
	}
}

/* Every code goes to a float and back, but for NaN. */
static void
test_halves(void)
{
	static const struct {
		uint32_t f;
		uint16_t f16, bf16;
	} cases[] = {
		{ 0x00000000, 0x0000, 0x0000 }, { 0x80000000, 0x8000, 0x8000 },
		{ 0x3f800000, 0x3c00, 0x3f80 }, { 0x3f801000, 0x3c00, 0x3f80 },
		{ 0x3f801001, 0x3c01, 0x3f80 }, { 0x3f803000, 0x3c02, 0x3f80 },
		{ 0x3f808000, 0x3c04, 0x3f80 }, { 0x3f808001, 0x3c04, 0x3f81 },
		{ 0x3f818000, 0x3c0c, 0x3f82 }, { 0x3fffffff, 0x4000, 0x4000 },
		{ 0x477fe000, 0x7bff, 0x4780 }, { 0x477fefff, 0x7bff, 0x4780 },
		{ 0x477ff000, 0x7c00, 0x4780 }, { 0x7f7fffff, 0x7c00, 0x7f80 },
		{ 0xff7fffff, 0xfc00, 0xff80 }, { 0x7f800000, 0x7c00, 0x7f80 },
		{ 0xff800000, 0xfc00, 0xff80 }, { 0x7fc00000, 0x7e00, 0x7fc0 },
		{ 0xffc00000, 0x7e00, 0xffc0 }, { 0x7f800001, 0x7e00, 0x7fc0 },
		{ 0x7fffffff, 0x7e00, 0x7fff }, { 0x38800000, 0x0400, 0x3880 },
		{ 0x387fffff, 0x0400, 0x3880 }, { 0x387fc000, 0x03ff, 0x3880 },
		{ 0x387fe000, 0x0400, 0x3880 }, { 0x33800000, 0x0001, 0x3380 },
		{ 0x33000000, 0x0000, 0x3300 }, { 0x33000001, 0x0001, 0x3300 },
		{ 0x33c00000, 0x0002, 0x33c0 }, { 0x00000001, 0x0000, 0x0000 },
		{ 0x00008000, 0x0000, 0x0000 }, { 0x00018000, 0x0000, 0x0002 },
	};
	uint32_t c, bad16 = 0, badb = 0;
	uint16_t h, want;
	char which[32];
	size_t i;
	double d;

	for (c = 0; c < 65536; c++) {
		h = (uint16_t)c;
		want = (c & 0x7fff) > 0x7c00 ? 0x7e00 : h;
		bad16 += type_f16_from(type_f16_to(h)) != want;
		d = (c >> 10 & 31) == 0 ? ldexp(c & 1023, -24) :
		    ldexp((c & 1023) + 1024, (int)(c >> 10 & 31) - 25);
		if ((c & 0x7c00) != 0x7c00)
			bad16 += (double)type_f16_to(h) !=
			    (c & 0x8000 ? -d : d);
		want = (c & 0x7fff) > 0x7f80 ? (uint16_t)(c | 0x40) : h;
		badb += type_bf16_from(type_bf16_to(h)) != want;
		badb += bits_of(type_bf16_to(h)) != c << 16;
	}
	check(bad16 == 0, "f16", "round trips");
	check(badb == 0, "bf16", "round trips");
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(which, sizeof which, "%08" PRIx32, cases[i].f);
		check(type_f16_from(float_of(cases[i].f)) == cases[i].f16,
		    "f16", which);
		check(type_bf16_from(float_of(cases[i].f)) == cases[i].bf16,
		    "bf16", which);
	}
}

static void
test_apr(void)
{
	/* the spec's example, and the same bytes as its file holds */
	static const float x[8] = { 1, 2, 0.5f, -0.5f, 4, -2, 0.25f, 8 };
	static const int8_t q8[8] = { 16, 32, 8, -8, 64, -32, 4, 127 };
	static const unsigned char q4[18] = {
		0x92, 0x3c, 0xa9, 0x88, 0x6b, 0xf8,
	};
	static unsigned char want_ramp[144] = {
		0x33, 0x10, 0x10, 0x28, 0xff, 0xff, 0xff, 0xff,
		0x3f, 0x2f, 0x1f, 0x10, 0x0f, 0x0f, 0x0f, 0x0f,
		0x00, 0x00, 0x11, 0x11, 0x22, 0x22, 0x33, 0x33,
		0x44, 0x44, 0x55, 0x55, 0x66, 0x66, 0x77, 0x77,
		0x78, 0x88, 0x89, 0x99, 0x9a, 0xaa, 0xab, 0xbb,
		0xbc, 0xcc, 0xcd, 0xdd, 0xde, 0xee, 0xef, 0xff,
		0x00, 0x10, 0x10, 0x21, 0x21, 0x32, 0x32, 0x43,
		0x43, 0x54, 0x54, 0x65, 0x65, 0x76, 0x76, 0x87,
		0x87, 0x88, 0x98, 0x99, 0xa9, 0xaa, 0xba, 0xbb,
		0xcb, 0xcc, 0xdc, 0xdd, 0xed, 0xee, 0xfe, 0xff,
		0xf0, 0xf0, 0xf1, 0xf1, 0xf2, 0xf2, 0xf3, 0xf3,
		0xf4, 0xf4, 0xf5, 0xf5, 0xf6, 0xf6, 0xf7, 0xf7,
		0xf8, 0xf8, 0xf9, 0xf9, 0xfa, 0xfa, 0xfb, 0xfb,
		0xfc, 0xfc, 0xfd, 0xfd, 0xfe, 0xfe, 0xff, 0xff,
	};
	static const float want4[8] = { 1, 2, 0, 0, 3, -2, 0, 7 };
	unsigned char b[36 + 1], b4[144];
	float y[40], z[40], ramp[256], scale;
	int8_t i8[8];
	size_t i, n, bad;

	scale = type_q8_scale(8);
	check(bits_of(scale) == 0x3d810204, "apr_q8", "scale");
	check(bits_of(type_q8_scale(0)) == 0x3f800000, "apr_q8", "zero");
	type_q8_from_f32(i8, x, 8, scale);
	check(memcmp(i8, q8, 8) == 0, "apr_q8", "codes");
	type_q8_to_f32(y, i8, 8, scale);
	for (i = bad = 0; i < 8; i++)
		bad += bits_of(y[i]) != bits_of((float)q8[i] * scale);
	check(bad == 0, "apr_q8", "floats");
	y[0] = 1e30f;
	y[1] = -1e30f;
	y[2] = float_of(0x7fc00000);
	type_q8_from_f32(i8, y, 3, 1);
	check(i8[0] == 127 && i8[1] == -127 && i8[2] == 0, "apr_q8", "ends");

	memset(b, 0x55, sizeof b);
	type_apr_q4.from_f32(b, x, 8, NULL);
	check(memcmp(b, q4, 18) == 0 && b[18] == 0x55, "apr_q4", "codes");
	type_apr_q4.to_f32(y, b, 8);
	for (i = bad = 0; i < 8; i++)
		bad += bits_of(y[i]) !=
		    bits_of(want4[i] * type_f16_to(0x3c92));
	check(bad == 0, "apr_q4", "floats");

	/* a ramp as its Q4_K has it: what lies above 0 saturates */
	for (i = 0; i < 256; i++)
		ramp[i] = ((float)i - 128) / 64;
	type_encoder(type_by_name("q4_k"), EFFORT_APR)(b4, ramp, 256, NULL);
	memset(want_ramp + 112, 0xff, 32);
	check(memcmp(b4, want_ramp, 144) == 0, "q4_k", "aprender's");

	/* any length: whole blocks written, not a float too many read out */
	for (n = 0; n <= 36; n++) {
		for (i = 0; i < 40; i++) {
			y[i] = (float)((i * 37 + 11) % 29) - 14;
			z[i] = 99;
		}
		memset(b, 0x55, sizeof b);
		type_apr_q4.from_f32(b, y, n, NULL);
		i = blocks_bytes(&type_apr_q4, n);
		bad = b[i] != 0x55;
		for (i = n; i < (n + 31) / 32 * 32; i++)
			bad += (b[i / 32 * 18 + 2 + i % 32 / 2] >>
			    i % 2 * 4 & 15) != 0;
		type_apr_q4.to_f32(z, b, n);
		for (i = 0; i < n; i++)
			bad += fabsf(z[i] - y[i]) > 1.02f;
		for (; i < 40; i++)
			bad += z[i] < 99 || z[i] > 99;
		check(bad == 0, "apr_q4", "tail");
	}
}

/* lattice's own tests' block, and what its file of 32 values has. */
static void
test_lattice(void)
{
	static const float tail[3] = { 5, 6, 7 };
	static const unsigned char want[20] = { 0x44, 0x30, 0x00, 0x45, 0x70, 0x0f };
	static const unsigned char want32[20] = {
		0x6f, 0x42, 0x10, 0xce, 0x52, 0xa8, 0x1d, 0x63, 0xc9, 0x2f,
		0x85, 0xeb, 0x41, 0xa7, 0x0d, 0x63, 0xc9, 0x2e, 0x75, 0xda,
	};
	unsigned char b[21];
	float x[32], y[33];
	size_t i, bad;

	memset(b, 0x55, sizeof b);
	type_lattice_q4.from_f32(b, tail, 3, NULL);
	check(memcmp(b, want, 20) == 0 && b[20] == 0x55, "lattice_q4", "tail");
	for (i = 0; i < 32; i++)
		x[i] = (float)((int)((i * 37 + 26) % 200) - 100) / 4;
	type_lattice_q4.from_f32(b, x, 32, NULL);
	check(memcmp(b, want32, 20) == 0 && b[20] == 0x55, "lattice_q4", "codes");
	y[32] = 99;
	type_lattice_q4.to_f32(y, b, 31);
	for (i = bad = 0; i < 31; i++)
		bad += bits_of(y[i]) != bits_of((float)(want32[4 + i / 2] >> i % 2 * 4 & 15) *
		    type_f16_to(0x426f) + type_f16_to(0xce10));
	check(bad == 0, "lattice_q4", "floats");
	/* All equal: the scale is 1. */
	for (i = 0; i < 32; i++)
		x[i] = -3;
	type_lattice_q4.from_f32(b, x, 32, NULL);
	for (i = 4, bad = 0; i < 20; i++)
		bad += b[i] != 0;
	check(bad == 0 && b[0] == 0 && b[1] == 0x3c && b[2] == 0 && b[3] == 0xc2,
	    "lattice_q4", "one value");
}

/*
 * Encoding twice, and from an unaligned place, is the same; so is encoding
 * what came back, twice.  Nothing is written past the blocks.
 */
static void
test_stable(float *x, float *y, unsigned char *q, unsigned char *r)
{
	const struct type *const *t;
	size_t bytes;

	fill(x, 'B');
	for (t = types; *t; t++) {
		if (!(*t)->from_f32 || !(*t)->to_f32)
			continue;
		bytes = blocks_bytes(*t, COUNT);
		q[bytes] = r[bytes + 1] = 0x55;
		encode(*t, q, x, NULL);
		encode(*t, r + 1, x, NULL);
		check(memcmp(q, r + 1, bytes) == 0, "same twice", (*t)->name);
		check(q[bytes] == 0x55 && r[bytes + 1] == 0x55, "end",
		    (*t)->name);
		(*t)->to_f32(y, r + 1, COUNT);
		encode(*t, q, y, NULL);
		encode(*t, r + 1, y, NULL);
		check(memcmp(q, r + 1, bytes) == 0, "same again", (*t)->name);
	}
}

/* With a scale of 1: ggml's reference calls roundf(), so halves go away from 0. */
static void
test_ties(void)
{
	unsigned char q[34];
	float x[32] = { 127 };
	bool ok = true;

	for (int i = 1; i < 32; i++)
		x[i] = (float)(i - 16) + 0.5f;
	type_by_name("Q8_0")->from_f32(q, x, 32, NULL);
	for (int i = 1; i < 32; i++)
		ok &= (int8_t)q[2 + i] == (i < 16 ? i - 16 : i - 15);
	check(ok, "ties", "Q8_0");
}

/* Inputs the formulas were not made for: whatever comes out, no harm. */
static void
test_extremes(float *x, float *y, unsigned char *q)
{
	static const uint32_t odd[] = {
		0x00000000, 0x80000000, 0x00000001, 0x00000007, 0x00200000,
		0x00400001, 0x00800000, 0x26901d7d, 0x26800000, 0x3f7fffff,
		0x3f800000, 0x477ff000, 0x4b800000, 0x7f7fffff, 0xff7fffff,
		0x7f800000, 0xff800000, 0x7fc00000,
	};
	static const unsigned zeros[] = { 0, 3, 5 };
	const struct type *const *t;
	float qw[512];
	size_t i, j, k, n = sizeof odd / sizeof *odd;
	enum effort e;
	uint32_t u;

	for (t = types; *t; t++) {
		if (!(*t)->from_f32)
			continue;
		for (k = 0; k < sizeof zeros / sizeof *zeros; k++)
			for (i = 0; i < n * n; i++) {
				for (j = 0; j < 512; j++) {
					u = odd[j % 3 ? i / n : i % n];
					x[j] = float_of(u ^
					    (j & 4 ? 0x80000000 : 0));
					qw[j] = zeros[k] && j % zeros[k] ?
					    0.0f : (float)(j % 5);
				}
				(*t)->from_f32(q, x, 512, k ? qw : NULL);
				if ((*t)->to_f32)
					(*t)->to_f32(y, q, 512);
				/* these take their time */
				if (i % 7)
					continue;
				for (e = EFFORT_HIGH; e <= EFFORT_APR; e++)
					if ((*t)->effort[e])
						(*t)->effort[e](q, x, 512, k ? qw : NULL);
			}
		check(true, "extremes", (*t)->name);
	}
	/* any bytes decode */
	for (t = types; *t; t++) {
		if (!(*t)->to_f32)
			continue;
		for (k = 0; k < 64; k++) {
			for (i = 0; i < blocks_bytes(*t, 512); i++)
				q[i] = (unsigned char)(k ? rand() >> 7 : 255);
			(*t)->to_f32(y, q, 512);
		}
	}
	/* blocks of zeros have a form of their own */
	memset(x, 0, 512 * sizeof *x);
	type_by_name("q4_0")->from_f32(q, x, 32, NULL);
	check(q[0] == 0 && q[1] == 0x80 && q[2] == 0x88 && q[17] == 0x88,
	    "zero", "Q4_0");
	type_by_name("iq4_nl")->from_f32(q, x, 32, NULL);
	check(q[0] == 0 && q[1] == 0 && q[2] == 0x88, "zero", "IQ4_NL");
	memset(q, 1, 210);
	type_by_name("q6_k")->from_f32(q, x, 256, NULL);
	for (i = j = 0; i < 210; i++)
		j += q[i];
	check(j == 0, "zero", "Q6_K");
	x[0] = float_of(0x7f7fffff);
	x[1] = 0x1p-128f;
	type_by_name("q8_0")->from_f32(q, x + 1, 32, NULL);
	check(q[2] == 0 && q[3] == 0, "overflow", "Q8_0");
}

static void
test_names(void)
{
	const struct type *const *t;
	const char *p;
	char name[32];
	size_t n;

	for (t = types; *t; t++) {
		n = 0;
		for (p = (*t)->name; *p; p++)
			if (*p != '_')
				name[n++] = (char)(*p >= 'A' && *p <= 'Z' ?
				    *p + 32 : *p);
		name[n] = '\0';
		check(type_by_name((*t)->name) == *t, "by name", (*t)->name);
		check(type_by_name(name) == *t, "by name", name);
		if ((*t)->ggml >= 0)
			check(type_by_ggml((uint32_t)(*t)->ggml) == *t,
			    "by ggml", (*t)->name);
		if ((*t)->safetensors)
			check(type_by_safetensors((*t)->safetensors) == *t,
			    "by safetensors", (*t)->name);
	}
	check(!type_by_name("q4k_m") && !type_by_name(""), "by name", "none");
	check(!type_by_ggml(4) && !type_by_ggml(UINT32_MAX), "by ggml",
	    "none");
	check(!type_by_safetensors("f32"), "by safetensors", "none");
}

int
main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;
	float *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y);
	unsigned char *q = malloc(COUNT * 8 + 8), *r = malloc(COUNT * 8 + 8);

	if (!x || !y || !q || !r)
		return 2;
	test_goldens(only, x, y, q);
	if (!only || !strcmp(only, "Q8_0"))
		test_ties();
	if (!only) {
		test_halves();
		test_apr();
		test_lattice();
		test_stable(x, y, q, r);
		test_extremes(x, y, q);
		test_names();
	}
	free(x);
	free(y);
	free(q);
	free(r);
	printf("golden: %d passed, %d failed\n", passed, failed);
	/* (A name that no hash has saw the two inputs alone.) */
	return failed != 0 || passed <= 2;
}
