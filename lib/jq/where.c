/* SPDX-License-Identifier: MIT */
/* where.c -- a jq expression over a tensor's manifest entry. */
#include <stdlib.h>

#include <apr/where.h>

#include "program.h"

struct program *
where_new(const char *expr, struct err *e)
{
	return program_new(expr, e);
}

int
where_match(struct program *p, const struct tensor *t, struct err *e)
{
	struct buf b = { 0 };
	jv v = jv_invalid();
	int r;

	tensor_write(t, &b);
	if ((r = buf_check(&b, e)) == 0)
		v = program_parse(b.p, b.len, e);
	buf_release(&b);
	if (!jv_is_valid(v)) {
		jv_free(v);
		return r < 0 ? -1 : err_prefix(e, "its entry");
	}
	program_start(p, v);
	if ((r = program_next(p, &v, e)) > 0)
		r = jv_get_kind(v) != JV_KIND_FALSE && jv_get_kind(v) != JV_KIND_NULL;
	jv_free(v);
	return r;
}

void
where_free(struct program *p)
{
	program_free(p);
}

static void *
compile(const char *expr, struct err *e)
{
	return where_new(expr, e);
}

static int
match(void *w, const struct tensor *t, struct err *e)
{
	return where_match(w, t, e);
}

static void
release(void *w)
{
	where_free(w);
}

const struct recipe_jq where_jq = { compile, match, release };
