/* SPDX-License-Identifier: MIT */
/*
 * ggufjson.c -- all of a GGUF as the expected/NAME.json of the fixtures have
 * it: size, keys in order with types and values, tensors in order with shape,
 * type, length and SHA-256.  It reads the file by itself, without the library.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *file;
static size_t size, at;

static void
die(const char *what)
{
	fprintf(stderr, "ggufjson: %s at %zu\n", what, at);
	exit(1);
}

static const unsigned char *
take(uint64_t n)
{
	const unsigned char *p = file + at;

	if (n > size - at)
		die("the file ends");
	at += (size_t)n;
	return p;
}

static uint64_t
number(unsigned bytes)
{
	const unsigned char *p = take(bytes);
	uint64_t v = 0;

	for (unsigned i = bytes; i-- > 0; )
		v = v << 8 | p[i];
	return v;
}

/* FIPS 180-4. */
struct sha { uint32_t h[8]; unsigned char b[64]; uint64_t n; };

static uint32_t
rot(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static void
sha_block(struct sha *s, const unsigned char *p)
{
	static const uint32_t k[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
		0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
		0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
	};
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[i * 4] << 24 | (uint32_t)p[i * 4 + 1] << 16 |
		    (uint32_t)p[i * 4 + 2] << 8 | p[i * 4 + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		    (rot(w[i - 15], 7) ^ rot(w[i - 15], 18) ^ w[i - 15] >> 3) +
		    (rot(w[i - 2], 17) ^ rot(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, s->h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t t = v[7] + (rot(v[4], 6) ^ rot(v[4], 11) ^ rot(v[4], 25)) +
		    ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
		uint32_t u = (rot(v[0], 2) ^ rot(v[0], 13) ^ rot(v[0], 22)) +
		    ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += t;
		v[0] = t + u;
	}
	for (int i = 0; i < 8; i++)
		s->h[i] += v[i];
}

static void
sha_begin(struct sha *s)
{
	*s = (struct sha){ .h = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 } };
}

static void
sha_put(struct sha *s, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		s->b[s->n++ % 64] = p[i];
		if (s->n % 64 == 0)
			sha_block(s, s->b);
	}
}

static void
sha_end(struct sha *s)
{
	uint64_t bits = s->n * 8;
	unsigned char b = 0x80;

	sha_put(s, &b, 1);
	for (b = 0; s->n % 64 != 56; )
		sha_put(s, &b, 1);
	for (int i = 56; i >= 0; i -= 8) {
		b = (unsigned char)(bits >> i);
		sha_put(s, &b, 1);
	}
	printf("\"");
	for (int i = 0; i < 8; i++)
		printf("%08" PRIx32, s->h[i]);
	printf("\"");
}

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64, KINDS };
static const char *const kinds[KINDS] = { "UINT8", "INT8", "UINT16", "INT16",
	"UINT32", "INT32", "FLOAT32", "BOOL", "STRING", "ARRAY", "UINT64", "INT64",
	"FLOAT64" };
static const unsigned widths[KINDS] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

static void
string(const unsigned char *p, uint64_t n)
{
	printf("\"");
	for (uint64_t i = 0; i < n; i++)
		if (p[i] == '"' || p[i] == '\\')
			printf("\\%c", p[i]);
		else if (p[i] < 0x20)
			printf("\\u%04x", p[i]);
		else
			putchar(p[i]);
	printf("\"");
}

/* One scalar: printed, or into the hash as the fixtures' README says. */
static void
scalar(unsigned kind, struct sha *s)
{
	unsigned char le[8];
	uint64_t v;

	if (kind == STRING) {
		uint64_t n = number(8);
		const unsigned char *p = take(n);

		for (int i = 0; i < 8; i++)
			le[i] = (unsigned char)(n >> (8 * i));
		if (s) {
			sha_put(s, le, 8);
			sha_put(s, p, (size_t)n);
		} else {
			string(p, n);
		}
		return;
	}
	if (kind >= KINDS || widths[kind] == 0)
		die("a value of no kind that is known");
	v = number(widths[kind]);
	if (kind == I8 || kind == I16 || kind == I32)	/* sign */
		v = (uint64_t)((int64_t)(v << (64 - 8 * widths[kind])) >> (64 - 8 * widths[kind]));
	for (int i = 0; i < 8; i++)
		le[i] = (unsigned char)(v >> (8 * i));
	if (s) {
		sha_put(s, le, kind == F32 ? 4 : 8);
	} else if (kind == F32) {
		uint32_t u = (uint32_t)v;
		float f;

		memcpy(&f, &u, 4);
		printf("%.17g", (double)f);
	} else if (kind == F64) {
		double d;

		memcpy(&d, &v, 8);
		printf("%.17g", d);
	} else if (kind == BOOL) {
		printf(v ? "true" : "false");
	} else {
		printf("%" PRId64, (int64_t)v);
	}
}

static void
array(unsigned kind)
{
	uint64_t n = number(8);
	size_t begin = at;
	struct sha s;

	if (n > 40) {
		sha_begin(&s);
		for (uint64_t i = 0; i < n; i++)
			scalar(kind, &s);
		printf("{\"count\":%" PRIu64 ",\"sha256\":", n);
		sha_end(&s);
		printf(",\"first\":");
	}
	printf("[");
	if (n > 40) {
		size_t end = at;

		at = begin;
		for (uint64_t i = 0; i < 8; i++) {
			printf(i ? "," : "");
			scalar(kind, NULL);
		}
		at = end;
	}
	for (uint64_t i = 0; n <= 40 && i < n; i++) {
		printf(i ? "," : "");
		scalar(kind, NULL);
	}
	printf(n > 40 ? "]}" : "]");
}

static const struct { const char *name; unsigned block, bytes; } types[] = {
	[0] = { "F32", 1, 4 }, [1] = { "F16", 1, 2 }, [2] = { "Q4_0", 32, 18 },
	[3] = { "Q4_1", 32, 20 }, [6] = { "Q5_0", 32, 22 }, [7] = { "Q5_1", 32, 24 },
	[8] = { "Q8_0", 32, 34 }, [10] = { "Q2_K", 256, 84 }, [11] = { "Q3_K", 256, 110 },
	[12] = { "Q4_K", 256, 144 }, [13] = { "Q5_K", 256, 176 }, [14] = { "Q6_K", 256, 210 },
	[16] = { "IQ2_XXS", 256, 66 }, [17] = { "IQ2_XS", 256, 74 },
	[18] = { "IQ3_XXS", 256, 98 }, [19] = { "IQ1_S", 256, 50 },
	[20] = { "IQ4_NL", 32, 18 }, [21] = { "IQ3_S", 256, 110 },
	[22] = { "IQ2_S", 256, 82 }, [23] = { "IQ4_XS", 256, 136 },
	[29] = { "IQ1_M", 256, 56 }, [30] = { "BF16", 1, 2 }, [34] = { "TQ1_0", 256, 54 },
	[35] = { "TQ2_0", 256, 66 }, [39] = { "MXFP4", 32, 17 }, [41] = { "Q1_0", 128, 18 },
	[42] = { "Q2_0", 64, 18 },
};

struct info { const unsigned char *name; uint64_t len, dim[4], offset; unsigned ndim, type; };

static void
tensors(uint64_t n)
{
	struct info *t = calloc((size_t)n + 1, sizeof *t);
	size_t data;

	if (!t)
		die("out of memory");
	for (uint64_t i = 0; i < n; i++) {
		t[i].len = number(8);
		t[i].name = take(t[i].len);
		if ((t[i].ndim = (unsigned)number(4)) > 4)
			die("too many dimensions");
		for (unsigned k = 0; k < t[i].ndim; k++)
			t[i].dim[k] = number(8);
		t[i].type = (unsigned)number(4);
		t[i].offset = number(8);
		if (t[i].type >= sizeof types / sizeof *types || !types[t[i].type].name)
			die("a type that is not known");
	}
	data = (at + 31) / 32 * 32;
	for (uint64_t i = 0; i < n; i++) {
		uint64_t bytes = types[t[i].type].bytes;
		struct sha s;

		printf("%s\n  {\"name\":", i ? "," : "");
		string(t[i].name, t[i].len);
		printf(",\"shape\":[");
		for (unsigned k = 0; k < t[i].ndim; k++) {
			printf("%s%" PRIu64, k ? "," : "", t[i].dim[k]);
			bytes *= k ? t[i].dim[k] : t[i].dim[k] / types[t[i].type].block;
		}
		printf("],\"type\":\"%s\",\"bytes\":%" PRIu64 ",\"sha256\":", types[t[i].type].name,
		    bytes);
		at = data + (size_t)t[i].offset;
		sha_begin(&s);
		sha_put(&s, take(bytes), (size_t)bytes);
		sha_end(&s);
		printf("}");
	}
	free(t);
}

int
main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	uint64_t n, nkv;
	long end = 0;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (end = ftell(f)) < 0 ||
	    !(file = malloc((size_t)end + 1)))
		die("no file");
	rewind(f);
	size = fread(file, 1, (size_t)end, f);
	fclose(f);
	if (memcmp(take(4), "GGUF", 4) || number(4) != 3)
		die("no GGUF of version 3");
	n = number(8);
	nkv = number(8);
	printf("{\"file_bytes\":%zu,\n \"metadata\":{", size);
	for (uint64_t i = 0; i < nkv; i++) {
		uint64_t len = number(8);
		unsigned kind, inner;

		printf(i ? ",\n  " : "\n  ");
		string(take(len), len);
		if ((kind = (unsigned)number(4)) >= KINDS)
			die("a kind that is not known");
		printf(":{\"type\":[\"%s\"", kinds[kind]);
		if (kind == ARRAY) {
			if ((inner = (unsigned)number(4)) >= KINDS)
				die("a kind that is not known");
			printf(",\"%s\"],\"value\":", kinds[inner]);
			array(inner);
		} else {
			printf("],\"value\":");
			scalar(kind, NULL);
		}
		printf("}");
	}
	printf("\n },\n \"tensors\":[");
	tensors(n);
	printf("\n ]}\n");
	free(file);
	return ferror(stdout) || fclose(stdout) ? 1 : 0;
}
