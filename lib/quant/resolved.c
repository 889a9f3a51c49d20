/* SPDX-License-Identifier: MIT */
/* resolved.c -- what was decided, as a recipe of exact names. */
#include <string.h>

#include "resolve.h"

static void
put_string(struct buf *b, const char *s)
{
	buf_json(b, s, strlen(s));
}

static void
put_set(struct buf *b, const struct manifest *m)
{
	buf_str(b, ",\n  \"set\": {");
	for (size_t i = 0; i < m->nset; i++) {
		buf_str(b, i ? ",\n    " : "\n    ");
		put_string(b, m->set[i].key);
		buf_str(b, ": { \"type\": ");
		put_string(b, m->set[i].type);
		buf_printf(b, ", \"value\": %s }", m->set[i].value);
	}
	buf_str(b, m->nset ? "\n  }" : "}");
}

int
quant_resolved(const struct manifest *m, const struct quant_from *from,
    const struct quant_opts *o, const char *about, struct buf *b, struct err *e)
{
	bool any = false;

	buf_str(b, "{\n  \"apr_recipe\": 1,\n  \"about\": ");
	put_string(b, about);
	/* The keys are all in `set`, or there are none. */
	buf_str(b, ",\n  \"file_type\": null");
	if (o->fallback != FALLBACK_TABLE)
		buf_printf(b, ",\n  \"fallback\": \"%s\"", quant_fallbacks[o->fallback]);
	if (o->effort != EFFORT_REFERENCE)
		buf_printf(b, ",\n  \"effort\": \"%s\"", quant_efforts[o->effort]);
	put_set(b, m);
	buf_str(b, ",\n  \"tensors\": {");
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];

		if (t->tied_to)
			continue;
		buf_str(b, any ? ",\n    " : "\n    ");
		put_string(b, t->name);
		buf_printf(b, ": \"%s\"", from[i].kept ? "keep" : t->type->name);
		any = true;
	}
	buf_str(b, any ? "\n  }\n}\n" : "}\n}\n");
	return buf_check(b, e);
}
