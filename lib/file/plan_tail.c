/* SPDX-License-Identifier: MIT */
/* plan_tail.c -- what tail.json says of a source's end, and the sizes. */
#include <string.h>

#include <apr/size.h>

#include "pack.h"

struct tail {
	struct pack	*p;
	size_t		 k;
	int		 depth, key;
	bool		 list;
};

static int
tail_event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct tail *t = ctx;
	uint64_t v;

	switch (ev) {
	case JSON_ARRAY:
		t->list = t->depth == 0;
		t->depth++;
		return 0;
	case JSON_OBJECT:
		t->depth++;
		return 0;
	case JSON_OBJECT_END:
		t->depth--;
		t->k++;
		return 0;
	case JSON_ARRAY_END:
		t->depth--;
		return 0;
	case JSON_KEY:
		t->key = n == 7 && !memcmp(s, "padding", 7) ? 1 :
		    n == 6 && !memcmp(s, "footer", 6) ? 2 : 0;
		return 0;
	default:
		if (t->key == 1 && (ev != JSON_NUMBER || !json_u64(s, n, &v) || v > INT64_MAX / 2))
			return err_set(e, "tail.json: padding is no length");
		if (t->key == 2 && ev != JSON_FALSE && ev != JSON_TRUE)
			return err_set(e, "tail.json: footer is neither true nor false");
		if (t->k >= t->p->nout)
			return 0;	/* several shards became one file */
		if (t->key == 1)
			t->p->padding[t->k] = v;
		if (t->key == 2)
			t->p->footer[t->k] = ev == JSON_TRUE;
		return 0;
	}
}

int
pack_tail(struct pack *p, const void *text, size_t n, struct err *e)
{
	struct tail t = { .p = p };

	if (json_text("tail.json", text, n, tail_event, &t, e) < 0)
		return -1;
	if (t.k != (p->m->nshard ? p->m->nshard : 1))
		return err_set(e, "tail.json: %zu entries for %zu shards", t.k, p->m->nshard);
	pack_sizes(p);
	return 0;
}

void
pack_sizes(struct pack *p)
{
	for (size_t k = 0; k < p->nout; k++) {
		struct output *o = &p->out[k];

		if (o->verbatim) {
			/* Offsets were checked when the header was parsed. */
			if (p->padding[k] != UINT64_MAX)
				o->l.end = o->end + p->padding[k];
			else if (u64_align(&o->l.end, o->end, o->align ? o->align : 1))
				o->l.end = o->end;
			o->l.footer = p->t.format == &format_apr && p->footer[k];
		}
		o->size = o->l.end + (o->l.footer ? 4 : 0);
	}
}
