/* SPDX-License-Identifier: MIT */
/* diff.c -- two sources, matched. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "diff.h"

/* The table that knows most of a side's names: of equals its own, but that an
 * .apr's numbers may be made up where another side's are not. */
static void
choose_model(struct diff *d, unsigned side)
{
	struct side *s = &d->side[side];
	struct arch_model *try[2] = { s->own, d->side[!side].own };
	char gguf[TENSOR_NAME + 1];
	struct arch_place p;
	size_t best = 0;

	if (s->m->source && !strcmp(s->m->source, "apr") && d->side[!side].m->source &&
	    strcmp(d->side[!side].m->source, "apr")) {
		try[1] = s->own;
		try[0] = d->side[!side].own;
	}
	for (int k = 0; k < 2 && s->conv >= 0; k++) {
		size_t known = 0;

		for (size_t i = 0; try[k] && i < s->m->ntensor; i++)
			known += arch_role(try[k], (enum arch_conv)s->conv, s->m->tensor[i].name,
			    gguf, &p) && *gguf;
		if (known > best) {
			best = known;
			s->model = try[k];
		}
	}
}

static int
open_side(struct diff *d, unsigned k, struct source *s, struct err *e)
{
	struct side *x = &d->side[k];
	struct err ignored;
	bool unknown;

	x->s = s;
	x->m = source_manifest(s);
	x->stream = source_stream(s);
	x->conv = arch_conv_by_name(x->m->convention);
	if (x->m->plan)
		return err_set(e, "a plan has no values to compare");
	if (!x->stream && !source_seekable(s))
		return err_set(e, "comes from a pipe and is no stream: apr-cat makes it one");
	if (diff_find_scaled(x, e) < 0)
		return -1;
	x->own = arch_of(x->m, &unknown, &ignored);
	if (x->stream) {
		if (!(x->spill = malloc((x->m->ntensor + 1) * sizeof *x->spill)))
			return err_set(e, "out of memory");
		for (size_t i = 0; i < x->m->ntensor; i++)
			x->spill[i] = -1;
	}
	return 0;
}

struct diff *
diff_new(struct source *a, struct source *b, bool bytes, struct err *e)
{
	struct diff *d = calloc(1, sizeof *d);
	bool *taken[2] = { NULL, NULL };
	int r = -1;

	if (!d) {
		err_set(e, "out of memory");
		return NULL;
	}
	d->bytes = bytes;
	if (open_side(d, 0, a, e) < 0) {
		err_prefix(e, "the first model");
		goto out;
	}
	if (open_side(d, 1, b, e) < 0) {
		err_prefix(e, "the second model");
		goto out;
	}
	for (unsigned k = 0; k < 2; k++) {
		choose_model(d, k);
		if (!(taken[k] = calloc(d->side[k].m->ntensor + 1, sizeof **taken))) {
			err_set(e, "out of memory");
			goto out;
		}
	}
	if (d->side[0].conv == d->side[1].conv && diff_match_names(d, taken, e) < 0)
		goto out;
	if (diff_match_roles(d, taken, d->side[0].conv != d->side[1].conv, e) < 0)
		goto out;
	r = 0;
out:
	free(taken[0]);
	free(taken[1]);
	if (r == 0)
		return d;
	diff_free(d);
	return NULL;
}

void
diff_free(struct diff *d)
{
	if (!d)
		return;
	for (unsigned k = 0; k < 2; k++) {
		struct side *s = &d->side[k];

		for (size_t i = 0; s->spill && i < s->m->ntensor; i++)
			if (s->spill[i] >= 0)
				close(s->spill[i]);
		names_free(s->names);
		free(s->spill);
		free(s->out);
		arch_close(s->own);
	}
	for (size_t i = 0; i < d->npair; i++)
		free(d->pair[i].sums);
	free(d->pair);
	arena_release(&d->arena);
	free(d);
}

size_t
diff_count(const struct diff *d)
{
	return d->npair;
}

const struct diff_entry *
diff_entry(const struct diff *d, size_t i)
{
	return &d->pair[i].e;
}

size_t
diff_left(const struct diff *d, unsigned side)
{
	return d->side[side].left;
}
