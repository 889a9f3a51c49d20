/* SPDX-License-Identifier: MIT */
/*
 * ggufdump -- a GGUF file as the fixtures' expected results have it: size, keys
 * with types and values, tensors with their SHA-256.  A reader of its own, so
 * that the one in lib/file is not its own judge.  Trusts the file.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/buf.h>
#include <apr/size.h>
#include <apr/type.h>

struct sha {
	uint32_t	 h[8];
	unsigned char	 block[64];
	uint64_t	 n;
};

static uint32_t
ror(uint32_t v, int n)
{
	return v >> n | v << (32 - n);
}

/* The first bits of the fractions of square and cube roots of primes. */
static uint32_t K[64], H[8];

static void
roots(void)
{
	int n = 0;

	for (unsigned p = 2; n < 64; p++) {
		unsigned d = 2;
		long double s = sqrtl(p), c = cbrtl(p);

		while (d * d <= p && p % d)
			d++;
		if (d * d <= p)
			continue;
		if (n < 8)
			H[n] = (uint32_t)((s - floorl(s)) * 0x1p32L);
		K[n++] = (uint32_t)((c - floorl(c)) * 0x1p32L);
	}
}

static void
mix(struct sha *s)
{
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)s->block[4 * i] << 24 | (uint32_t)s->block[4 * i + 1] << 16 |
		    (uint32_t)s->block[4 * i + 2] << 8 | s->block[4 * i + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		    (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
		    (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(v, s->h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t a = v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) +
		    ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[i] + w[i];
		uint32_t b = (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) +
		    ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += a;
		v[0] = a + b;
	}
	for (int i = 0; i < 8; i++)
		s->h[i] += v[i];
}

static void
sha_add(struct sha *s, const void *data, size_t n)
{
	const unsigned char *p = data;

	while (n-- > 0) {
		s->block[s->n++ % 64] = *p++;
		if (s->n % 64 == 0)
			mix(s);
	}
}

static struct sha
sha_new(void)
{
	struct sha s = { .n = 0 };

	memcpy(s.h, H, sizeof H);
	return s;
}

static void
sha_print(struct sha *s)
{
	uint64_t bits = s->n * 8;
	unsigned char b = 0x80, len[8];

	sha_add(s, &b, 1);
	for (b = 0; s->n % 64 != 56; )
		sha_add(s, &b, 1);
	for (int i = 0; i < 8; i++)
		len[i] = (unsigned char)(bits >> (56 - 8 * i));
	sha_add(s, len, 8);
	putchar('"');
	for (int i = 0; i < 8; i++)
		printf("%08" PRIx32, s->h[i]);
	putchar('"');
}

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };
static const char *const names[] = {
	"UINT8", "INT8", "UINT16", "INT16", "UINT32", "INT32", "FLOAT32", "BOOL", "STRING",
	"ARRAY", "UINT64", "INT64", "FLOAT64",
};

static const unsigned char *p;	/* what comes next */

static uint64_t
u64(void)
{
	p += 8;
	return le64_get(p - 8);
}

static uint32_t
u32(void)
{
	p += 4;
	return le32_get(p - 4);
}

static void
print_string(const unsigned char *s, size_t n)
{
	struct buf b = { 0 };

	buf_json(&b, s, n);
	fwrite(b.p, 1, b.len, stdout);
	buf_release(&b);
}

/* One value of a type, printed or not, and into the hash. */
static void
value(uint32_t type, int show, struct sha *s)
{
	static const int size[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
	unsigned char le[8];
	int64_t i = 0;
	double d = 0;
	float f;

	if (type == STRING) {
		uint64_t n = u64();

		if (show)
			print_string(p, (size_t)n);
		le64_put(le, n);
		sha_add(s, le, 8);
		sha_add(s, p, (size_t)n);
		p += n;
		return;
	}
	if (type == F32) {
		uint32_t u = le32_get(p);

		memcpy(&f, &u, 4);
		d = (double)f;
	} else if (type == F64) {
		uint64_t u = le64_get(p);

		memcpy(&d, &u, 8);
	} else {
		uint64_t u = size[type] == 1 ? *p : size[type] == 2 ? le16_get(p) :
		    size[type] == 4 ? le32_get(p) : le64_get(p);
		int sign = type == I8 || type == I16 || type == I32;

		i = (int64_t)u;
		if (sign && u >> (8 * size[type] - 1))
			i -= (int64_t)1 << (8 * size[type]);
	}
	if (show && type == BOOL)
		printf("%s", i ? "true" : "false");
	else if (show && (type == F32 || type == F64))
		printf("%.17g", d);
	else if (show)
		printf("%" PRId64, i);
	if (type == F32 || type == F64) {
		sha_add(s, p, (size_t)size[type]);
	} else {
		le64_put(le, (uint64_t)i);
		sha_add(s, le, 8);
	}
	p += size[type];
}

static void
array(void)
{
	uint32_t type = u32();
	uint64_t n = u64();
	struct sha s = sha_new();
	int count = n > 40;

	printf("{\"type\":[\"ARRAY\",\"%s\"],\"value\":", names[type]);
	printf(count ? "{\"count\":%" PRIu64 ",\"first\":[" : "[", n);
	for (uint64_t i = 0; i < n; i++) {
		if (i > 0 && (!count || i < 8))
			putchar(',');
		value(type, !count || i < 8, &s);
	}
	putchar(']');
	if (count) {
		printf(",\"sha256\":");
		sha_print(&s);
		putchar('}');
	}
	putchar('}');
}

int
main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	struct buf all = { 0 };
	unsigned char chunk[65536];
	uint64_t nt, nkv, align = 32;
	size_t k;

	if (!f) {
		fprintf(stderr, "usage: ggufdump file\n");
		return 2;
	}
	while ((k = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_put(&all, chunk, k);
	fclose(f);
	roots();
	p = all.p + 8;
	nt = u64();
	nkv = u64();
	printf("{\"file_bytes\":%zu,\"metadata\":[", all.len);
	for (uint64_t i = 0; i < nkv; i++) {
		uint64_t n = u64();
		struct sha s = sha_new();
		uint32_t type;

		printf("%s\n{\"key\":", i ? "," : "");
		print_string(p, (size_t)n);
		p += n;
		type = u32();
		printf(",\"value\":");
		if (type == ARRAY) {
			array();
		} else {
			printf("{\"type\":[\"%s\"],\"value\":", names[type]);
			value(type, 1, &s);
			putchar('}');
		}
		putchar('}');
	}
	printf("],\n\"tensors\":[");
	for (uint64_t i = 0; i < nt; i++) {
		/* Two passes: where the data begins is known behind all infos. */
		static uint64_t data;
		const unsigned char *at = p;
		const struct type *type;
		uint64_t n, off, elements = 1, bytes;
		struct sha s = sha_new();
		uint32_t nd;

		if (i == 0) {
			for (uint64_t j = 0; j < nt; j++) {
				n = u64();
				p += n;
				nd = u32();
				p += 8 * nd + 12;
			}
			data = ((uint64_t)(p - all.p) + align - 1) / align * align;
			p = at;
		}
		n = u64();
		printf("%s\n{\"name\":", i ? "," : "");
		print_string(p, (size_t)n);
		p += n;
		nd = u32();
		printf(",\"shape\":[");
		for (uint32_t j = 0; j < nd; j++) {
			uint64_t d = u64();

			elements *= d;
			printf("%s%" PRIu64, j ? "," : "", d);
		}
		type = type_by_ggml(u32());
		off = u64();
		bytes = elements / type->block * type->bytes;
		sha_add(&s, all.p + data + off, (size_t)bytes);
		printf("],\"type\":\"%s\",\"bytes\":%" PRIu64 ",\"sha256\":", type->name, bytes);
		sha_print(&s);
		putchar('}');
	}
	printf("]}\n");
	buf_release(&all);
	return 0;
}
