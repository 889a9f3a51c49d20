/* SPDX-License-Identifier: MIT */
/* hyper.c -- the few numbers of a model that mixes go by, as GGUF has them. */
#include <stdio.h>
#include <string.h>

#include <apr/arch.h>
#include <apr/json.h>

#include "resolve.h"

/* Finds one key's value: a string, a number, or a list's first number. */
struct find {
	char		 key[128];
	int		 depth;
	bool		 next, list;
	char		*string;
	size_t		 size;
	int64_t		*number;
};

static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct find *f = ctx;
	bool here = f->next;
	uint64_t v;

	if (ev == JSON_KEY) {
		f->next = f->depth == 1 && strlen(f->key) == n && !memcmp(f->key, s, n);
		return 0;
	}
	f->next = false;
	if (here && f->number && !f->list)
		*f->number = HYPER_UNCLEAR;
	if (ev == JSON_OBJECT || ev == JSON_ARRAY) {
		f->depth++;
		f->next = here && ev == JSON_ARRAY && !f->list;
		f->list = f->next;
	} else if (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END) {
		f->depth--;
		f->list = false;
	} else if (here && f->string && ev == JSON_STRING && n < f->size && !memchr(s, 0, n)) {
		memcpy(f->string, s, n);
		f->string[n] = '\0';
	} else if (here && f->number && ev == JSON_NUMBER && json_u64(s, n, &v) &&
	    v <= INT32_MAX) {
		*f->number = (int64_t)v;
	}
	(void)e;
	return 0;
}

/* Of a value that a filter or an option set. */
static int
from_set(struct find *f, const struct mset *set, size_t n, struct err *e)
{
	for (size_t i = n; i-- > 0; )
		if (!strcmp(set[i].key, f->key)) {
			f->next = true;
			f->depth = 0;
			return json_text(f->key, set[i].value, strlen(set[i].value), event,
			    f, e);
		}
	return 0;
}

static int
find(struct find *f, const struct manifest *m, const struct quant_opts *o, struct err *e)
{
	if (m->metadata && json_text("metadata", m->metadata, strlen(m->metadata), event,
	    f, e) < 0)
		return -1;
	return from_set(f, m->set, m->nset, e) < 0 ? -1 : from_set(f, o->kv, o->nkv, e);
}

int
hyper_read(struct hyper *h, const struct manifest *m, const struct quant_opts *o,
    struct err *e)
{
	const struct { const char *key; int64_t *number; } want[] = {
		{ "block_count", &h->layers }, { "expert_count", &h->experts },
		{ "attention.head_count", &h->heads },
		{ "attention.head_count_kv", &h->kv_heads },
	};
	struct find f = { .key = "general.architecture", .string = h->arch,
	    .size = sizeof h->arch };
	struct arch_model *model;
	struct err ignored;
	bool unknown;
	uint64_t v;

	*h = (struct hyper){ .layers = HYPER_ABSENT, .experts = HYPER_ABSENT,
	    .heads = HYPER_ABSENT, .kv_heads = HYPER_ABSENT };
	if (find(&f, m, o, e) < 0)
		return -1;
	/* In other words than GGUF's. */
	if (!h->arch[0] && (model = arch_of(m, &unknown, &ignored))) {
		snprintf(h->arch, sizeof h->arch, "%s", arch_gguf(model));
		for (size_t i = 0; i < sizeof want / sizeof *want; i++)
			if (arch_number(model, want[i].key, &v) && v <= INT32_MAX)
				*want[i].number = (int64_t)v;
		arch_close(model);
	}
	for (size_t i = 0; h->arch[0] && i < sizeof want / sizeof *want; i++) {
		f = (struct find){ .number = want[i].number };
		snprintf(f.key, sizeof f.key, "%s.%s", h->arch, want[i].key);
		if (find(&f, m, o, e) < 0)
			return -1;
	}
	return 0;
}
