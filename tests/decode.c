/* SPDX-License-Identifier: MIT */
/*
 * decode.c -- a number type from the command line, for tests:
 *	decode TYPE <blocks >f32
 *	decode -e TYPE ROWLEN [WEIGHTS] <f32 >blocks
 * The second takes rows of ROWLEN floats; WEIGHTS is a file of ROWLEN floats.
 * apr_q8 takes and gives its scale in front.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apr/type.h"

static int
fail(const char *why)
{
	fprintf(stderr, "decode: %s\n", why);
	return 1;
}

/* All of f, to be freed by the caller; NULL: no memory. */
static unsigned char *
slurp(FILE *f, size_t *len)
{
	size_t got, room = 1 << 16, n = 0;
	unsigned char *p = malloc(room), *bigger;

	while (p && (got = fread(p + n, 1, room - n, f)) > 0) {
		n += got;
		if (n == room) {
			bigger = realloc(p, room *= 2);
			if (!bigger)
				free(p);
			p = bigger;
		}
	}
	*len = n;
	return p;
}

static int
finish(const void *data, size_t n)
{
	if (fwrite(data, 1, n, stdout) != n || fclose(stdout) != 0)
		return fail("cannot write");
	return 0;
}

static int
decode(const struct type *t, const unsigned char *in, size_t len)
{
	size_t n = len / t->bytes * t->block;
	float *out, scale;
	int rc;

	if (t == &type_apr_q8)
		n = len < 4 ? 0 : len - 4;
	else if (!t->to_f32)
		return fail("no decoder");
	else if (len % t->bytes)
		return fail("half a block");
	out = malloc(n * sizeof *out + 1);
	if (!out)
		return fail("no memory");
	if (t == &type_apr_q8 && n) {
		memcpy(&scale, in, 4);
		type_q8_to_f32(out, (const int8_t *)in + 4, n, scale);
	} else if (t->to_f32) {
		t->to_f32(out, in, n);
	}
	rc = finish(out, n * sizeof *out);
	free(out);
	return rc;
}

static int
encode(const struct type *t, const float *x, size_t n, size_t row,
    const float *qw)
{
	float max = 0, scale;
	unsigned char *out;
	size_t i, step;
	int rc;

	if (t->flags & (TYPE_FLAT | TYPE_WHOLE))
		row = n;
	if (n && (row == 0 || n % row))
		return fail("half a row");
	if (!(t->flags & TYPE_FLAT) && row % t->block)
		return fail("rows are not whole blocks");
	step = (row + t->block - 1) / t->block * t->bytes;
	out = malloc(n * 8 + 64);
	if (!out)
		return fail("no memory");
	if (t == &type_apr_q8) {
		for (i = 0; i < n; i++)
			max = fmaxf(max, fabsf(x[i]));
		scale = type_q8_scale(max);
		memcpy(out, &scale, 4);
		type_q8_from_f32((int8_t *)out + 4, x, n, scale);
		rc = finish(out, n ? n + 4 : 0);
	} else if (!t->from_f32) {
		rc = fail("no encoder");
	} else {
		for (i = 0; row && i < n / row; i++)
			t->from_f32(out + i * step, x + i * row, row, qw);
		rc = finish(out, row ? n / row * step : 0);
	}
	free(out);
	return rc;
}

int
main(int argc, char **argv)
{
	bool enc = argc > 1 && strcmp(argv[1], "-e") == 0;
	const struct type *t;
	unsigned char *in, *qw = NULL;
	size_t len, weights = 0, row = 0;
	FILE *f;
	int rc;

	if (enc ? argc < 4 || argc > 5 : argc != 2) {
		fputs("usage: decode TYPE | -e TYPE ROWLEN [WEIGHTS]\n",
		    stderr);
		return 2;
	}
	t = type_by_name(argv[enc ? 2 : 1]);
	if (!t)
		return fail("no such type");
	if (enc)
		row = (size_t)strtoul(argv[3], NULL, 10);
	if (argc == 5) {
		f = fopen(argv[4], "rb");
		qw = f ? slurp(f, &weights) : NULL;
		if (f)
			fclose(f);
		if (!qw || weights / 4 != row)
			return fail("bad weights");
	}
	in = slurp(stdin, &len);
	if (!in)
		return fail("no memory");
	if (enc)	/* malloc's memory is aligned for floats */
		rc = encode(t, (const void *)in, len / 4, row,
		    (const void *)qw);
	else
		rc = decode(t, in, len);
	free(qw);
	free(in);
	return rc;
}
