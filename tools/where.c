/* SPDX-License-Identifier: MIT */
/* where.c -- a jq expression over a tensor's manifest entry, by libjq. */
#include <stdlib.h>
#include <string.h>

#include <jv.h>
#include <jq.h>

#include "where.h"

struct where {
	jq_state	*jq;
	char		 msg[256];
};

static void
on_error(void *ctx, jv msg)
{
	struct where *w = ctx;

	msg = jq_format_error(msg);
	if (jv_get_kind(msg) == JV_KIND_STRING && !w->msg[0]) {
		const char *s = jv_string_value(msg);
		size_t n = strcspn(s, "\n");

		n = n < sizeof w->msg - 1 ? n : sizeof w->msg - 1;
		memcpy(w->msg, s, n);
		w->msg[n] = '\0';
	}
	jv_free(msg);
}

struct where *
where_new(const char *expr, struct err *e)
{
	struct where *w = calloc(1, sizeof *w);

	if (!w || !(w->jq = jq_init())) {
		free(w);
		err_set(e, "out of memory");
		return NULL;
	}
	jq_set_error_cb(w->jq, on_error, w);
	if (!jq_compile(w->jq, expr)) {
		err_set(e, "%s", w->msg[0] ? w->msg : "does not compile");
		where_free(w);
		return NULL;
	}
	return w;
}

int
where_match(struct where *w, const struct tensor *t, struct err *e)
{
	struct buf b = { 0 };
	jv v;
	int yes;

	tensor_write(t, &b);
	if (buf_check(&b, e) < 0) {
		buf_release(&b);
		return -1;
	}
	v = jv_parse_sized((const char *)b.p, (int)b.len);
	buf_release(&b);
	if (!jv_is_valid(v)) {
		jv_free(v);
		return err_set(e, "its entry is no JSON");
	}
	jq_start(w->jq, v, 0);
	v = jq_next(w->jq);
	if (!jv_is_valid(v)) {
		bool bad = jv_invalid_has_msg(jv_copy(v));
		jv msg = jv_invalid_get_msg(v);

		yes = bad ? err_set(e, "%s", jv_get_kind(msg) == JV_KIND_STRING ?
		    jv_string_value(msg) : "the expression fails") : 0;
		jv_free(msg);
		return yes;
	}
	yes = jv_get_kind(v) != JV_KIND_FALSE && jv_get_kind(v) != JV_KIND_NULL;
	jv_free(v);
	return yes;
}

void
where_free(struct where *w)
{
	if (w && w->jq)
		jq_teardown(&w->jq);
	free(w);
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
