/* SPDX-License-Identifier: MIT */
/* diff_trace.c -- two runs' intermediate values, in the order in which they
 * were computed: where do they part? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "diff.h"

/* "layer.3.q": layer 3, operation q. */
static const char *
operation(const char *name, long *layer)
{
	int n = 0;

	*layer = -1;
	if (sscanf(name, "layer.%ld.%n", layer, &n) == 1 && n > 0)
		return name + n;
	if (sscanf(name, "hidden.%ld%n", layer, &n) == 1 && n > 0)
		return "hidden";
	return name;
}

static bool
holds(const struct diff_entry *e)
{
	return e->kind == DIFF_BOTH && (limits_given() ? limits_hold(&e->error) :
	    e->error.odd == 0 && e->error.nmse <= DIFF_TRACE_NMSE);
}

static void
print_one(const char *what, const struct diff_entry *e)
{
	char place[192];
	const char *op;
	long layer;
	struct err name;

	err_set(&name, "%s", e->name);
	op = operation(name.msg, &layer);
	printf("%-10s %s", what, name.msg);
	if (layer >= 0)
		printf(" (layer %ld, %s)", layer, op);
	if (e->kind != DIFF_BOTH)
		printf(": %s\n", e->kind == DIFF_SHAPE ? "shapes differ" : "one side has it");
	else
		printf(": NMSE %.3g, RMSE %.3g, max |d| %.3g at %s, cosine %.6f%s\n", e->error.nmse,
		    e->error.rmse, e->error.max, place_of(e->t[0], e->error.max_at, place,
		    sizeof place), e->error.cosine, e->error.odd ? ", not finite on one side" : "");
}

static void
put_one(struct buf *b, const struct diff_entry *e)
{
	const char *op;
	long layer;

	buf_str(b, "{");
	put_text(b, "name", e->name);
	op = operation(e->name, &layer);
	put_key(b, "layer");
	layer >= 0 ? buf_printf(b, "%ld", layer) : buf_str(b, "null");
	put_text(b, "operation", op);
	put_text(b, "status", e->kind != DIFF_BOTH ? "unmeasured" : holds(e) ? "within" : "over");
	if (e->kind == DIFF_BOTH)
		put_error(b, &e->error, e->t[0]);
	buf_str(b, "}");
}

int
diff_trace(const struct diff_opts *o)
{
	const struct diff_entry *first = NULL, *before = NULL;
	size_t n, over = 0, unmeasured = 0;
	struct buf b = { 0 };
	struct source *s[2];
	struct diff *d;
	struct err e;

	open_two(o, s);
	if (!(d = diff_new(s[0], s[1], false, &e)) ||
	    diff_run(d, o->jobs, NULL, &e) < 0)
		die("%s", e.msg);
	n = diff_count(d);
	for (size_t i = 0; i < n; i++) {
		const struct diff_entry *x = diff_entry(d, i);

		unmeasured += x->kind != DIFF_BOTH;
		over += x->kind == DIFF_BOTH && !holds(x);
		if (!first && !holds(x))
			first = x;
		if (!first)
			before = x;
	}
	if (n == 0)
		die("nothing was traced: nothing is measured");
	if (o->json) {
		buf_str(&b, "{");
		put_text(&b, "a", o->path[0]);
		put_text(&b, "b", o->path[1]);
		put_text(&b, "verdict", first ? "different" : "same");
		put_whole(&b, "over", over);
		put_whole(&b, "unmeasured", unmeasured);
		put_key(&b, "first");
		first ? put_one(&b, first) : buf_str(&b, "null");
		buf_str(&b, ",\"tensors\":[");
		for (size_t i = 0; i < n; i++) {
			buf_str(&b, i ? ",\n" : "\n");
			put_one(&b, diff_entry(d, i));
		}
		buf_str(&b, "]}\n");
		put_out(&b);
	} else if (!tool_quiet()) {
		if (before && first)
			print_one("before", before);
		if (first)
			print_one("first", first);
		printf("%s: %zu values, %zu over, %zu unmeasured\n", first ? "different" : "same", n,
		    over, unmeasured);
	}
	tool_flush();
	n = first ? STATUS_DIFFERENT : STATUS_SAME;
	buf_release(&b);
	diff_free(d);
	source_close(s[0]);
	source_close(s[1]);
	return (int)n;
}
