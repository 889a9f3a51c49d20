/* SPDX-License-Identifier: MIT */
/* kv.c -- llama-quantize's --override-kv. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kv.h"
#include "tool.h"

enum { STRING_MAX = 127 };	/* what llama-quantize has room for */

static char *
text(struct buf *b)
{
	struct err e;

	buf_put(b, "", 1);
	if (buf_check(b, &e) < 0)
		die("%s", e.msg);
	return (char *)b->p;
}

/* A u32 of the absolute value, as there. */
static void
put_int(struct buf *b, const char *arg, const char *s)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (end == s || *end || errno || v < -4294967295 || v > 4294967295)
		usage("--override-kv %s: %s is no number that a u32 holds", arg, s);
	buf_printf(b, "%lld", v < 0 ? -v : v);
}

static void
put_float(struct buf *b, const char *arg, const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !isfinite((float)v))
		usage("--override-kv %s: %s is no number that an f32 holds", arg, s);
	buf_printf(b, "%.9g", (double)(float)v);
}

struct mset
kv_parse(const char *arg)
{
	const char *eq = strchr(arg, '='), *v = eq ? strchr(eq, ':') : NULL;
	struct buf key = { 0 }, value = { 0 };
	struct mset s = { 0 };

	if (!v || eq == arg)
		usage("--override-kv: %s is not KEY=TYPE:VALUE", arg);
	buf_put(&key, arg, (size_t)(eq - arg));
	s.key = text(&key);
	v++;
	if (!strncmp(eq, "=int:", 5)) {
		s.type = "u32";
		put_int(&value, arg, v);
	} else if (!strncmp(eq, "=float:", 7)) {
		s.type = "f32";
		put_float(&value, arg, v);
	} else if (!strncmp(eq, "=bool:", 6)) {
		s.type = "bool";
		if (strcmp(v, "true") && strcmp(v, "false"))
			usage("--override-kv %s: %s is neither true nor false", arg, v);
		buf_str(&value, v);
	} else if (!strncmp(eq, "=str:", 5)) {
		s.type = "string";
		if (strlen(v) > STRING_MAX)
			usage("--override-kv %s: more than %d bytes", arg, STRING_MAX);
		buf_json(&value, v, strlen(v));
	} else {
		usage("--override-kv %s: the type is none of int, float, bool, str", arg);
	}
	s.value = text(&value);
	return s;
}
