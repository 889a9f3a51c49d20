/* SPDX-License-Identifier: MIT */
/* program.c -- a jq program, by libjq. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jv.h>
#include <jq.h>

#include "program.h"

struct program {
	jq_state	*jq;
	char		 said[256];	/* the first line of the first complaint */
};

static void
on_error(void *ctx, jv msg)
{
	struct program *p = ctx;

	msg = jq_format_error(msg);
	if (jv_get_kind(msg) == JV_KIND_STRING && !p->said[0])
		snprintf(p->said, sizeof p->said, "%.*s",
		    (int)strcspn(jv_string_value(msg), "\n"), jv_string_value(msg));
	jv_free(msg);
}

/* There is no more input, and nobody to debug for.  (libjq leaves both
 * pointers as malloc() had them.) */
static jv
no_input(jq_state *jq, void *ctx)
{
	(void)jq;
	(void)ctx;
	return jv_invalid();
}

static void
no_debug(void *ctx, jv msg)
{
	(void)ctx;
	jv_free(msg);
}

struct program *
program_new(const char *text, struct err *e)
{
	struct program *p = calloc(1, sizeof *p);

	if (!p || !(p->jq = jq_init())) {
		free(p);
		err_set(e, "out of memory");
		return NULL;
	}
	jq_set_error_cb(p->jq, on_error, p);
	jq_set_input_cb(p->jq, no_input, NULL);
	jq_set_debug_cb(p->jq, no_debug, NULL);
	/* Modules are looked for nowhere; without a list libjq aborts. */
	jq_set_attr(p->jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	if (!jq_compile(p->jq, text)) {
		err_set(e, "%s", p->said[0] ? p->said : "does not compile");
		program_free(p);
		return NULL;
	}
	return p;
}

jv
program_parse(const void *text, size_t n, struct err *e)
{
	jv v = jv_parse_sized(text, n < INT32_MAX ? (int)n : 0);

	if (jv_is_valid(v))
		return v;
	jv_free(v);
	err_set(e, "is more than jq takes, or no JSON");
	return jv_invalid();
}

void
program_start(struct program *p, jv v)
{
	jq_start(p->jq, v, 0);
}

int
program_next(struct program *p, jv *v, struct err *e)
{
	jv msg;
	bool bad;

	*v = jq_next(p->jq);
	if (jv_is_valid(*v))
		return 1;
	bad = jv_invalid_has_msg(jv_copy(*v));
	msg = jv_invalid_get_msg(*v);
	*v = jv_invalid();
	if (bad) {
		if (jv_get_kind(msg) != JV_KIND_STRING)
			msg = jv_dump_string(msg, 0);
		err_set(e, "%s", jv_string_value(msg));
	}
	jv_free(msg);
	return bad ? -1 : 0;
}

void
program_free(struct program *p)
{
	if (p)
		jq_teardown(&p->jq);
	free(p);
}
