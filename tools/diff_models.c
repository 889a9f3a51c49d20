/* SPDX-License-Identifier: MIT */
/* diff_models.c -- two models, tensor by tensor: a table or JSON. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff.h"

enum status { SAME, WITHIN, UNSAID, OVER, ONLY_A, ONLY_B, SHAPE, INCOMPLETE, UNMEASURED, STATUSES };

static const char *const words[] = {
	"same", "within", "unsaid", "over", "only_a", "only_b", "shape", "incomplete", "unmeasured",
};

struct key_difference {
	const char	*key, *a, *b;
};

struct report {
	const struct diff_opts	*o;
	struct diff		*d;
	struct source		*s[2];
	size_t			 count[STATUSES], retyped, renamed, guessed, tied;
	struct arena		 arena;
	struct key_difference	*key;
	size_t			 nkey, keys, contradictions;
	bool			 different;
};

/* The shape in which places are given. */
static const struct tensor *
shape_of(const struct diff_entry *e)
{
	return e->t[0] ? e->t[0] : e->t[1];
}

static bool
retyped(const struct diff_entry *e)
{
	return e->type[0] && e->type[1] && e->type[0] != e->type[1];
}

static enum status
status_of(const struct diff_entry *e)
{
	switch (e->kind) {
	case DIFF_ONLY_A: return ONLY_A;
	case DIFF_ONLY_B: return ONLY_B;
	case DIFF_UNSAID: return UNSAID;
	case DIFF_SHAPE: return SHAPE;
	case DIFF_INCOMPLETE: return INCOMPLETE;
	case DIFF_UNMEASURED: return UNMEASURED;
	default: break;
	}
	if (e->error.same)
		return SAME;
	return !e->raw && limits_given() && limits_hold(&e->error) ? WITHIN : OVER;
}

static int
on_key(void *ctx, const char *key, const char *a, const char *b, struct err *e)
{
	struct report *r = ctx;
	struct key_difference *v = realloc(r->key, (r->nkey + 1) * sizeof *v);

	if (!v)
		return err_set(e, "out of memory");
	r->key = v;
	v[r->nkey++] = (struct key_difference){ arena_strn(&r->arena, key, strlen(key)),
	    a ? arena_strn(&r->arena, a, strlen(a)) : NULL,
	    b ? arena_strn(&r->arena, b, strlen(b)) : NULL };
	/* What one side does not say it does not contradict. */
	r->contradictions += (a && b) || r->o->metadata == META_ALL;
	return 0;
}

static void
judge(struct report *r)
{
	struct err e;

	for (size_t i = 0; i < diff_count(r->d); i++) {
		const struct diff_entry *x = diff_entry(r->d, i);

		r->count[status_of(x)]++;
		r->retyped += retyped(x);
		r->renamed += x->renamed;
		r->guessed += x->renamed && x->why;
		r->tied += x->tied[0] || x->tied[1];
	}
	if (r->o->metadata != META_IGNORE && diff_metadata(source_manifest(r->s[0]),
	    source_manifest(r->s[1]), r->o->metadata == META_ALL, on_key, r, &r->keys, &e) < 0)
		die("metadata: %s", e.msg);
	if (r->o->metadata != META_IGNORE)
		diff_vocab(r->o, r->s, on_key, r, &r->keys);
	for (int k = OVER; k < STATUSES; k++)
		r->different |= r->count[k] > 0;
	r->different |= r->contradictions > 0 || (r->o->types && r->retyped > 0) || r->guessed > 0;
}

/* Worst first: what cannot be compared, then by what is lost. */
static const struct diff *sorting;

static int
by_badness(const void *pa, const void *pb)
{
	size_t i = *(const size_t *)pa, k = *(const size_t *)pb;
	const struct diff_entry *a = diff_entry(sorting, i), *b = diff_entry(sorting, k);
	bool x = a->kind != DIFF_BOTH, y = b->kind != DIFF_BOTH;
	double m, n;

	if (x != y)
		return x ? -1 : 1;
	if (!x) {
		x = a->error.odd > 0;
		y = b->error.odd > 0;
		m = a->error.nmse;
		n = b->error.nmse;
		if (x != y)
			return x ? -1 : 1;
		if (m != n)
			return m > n ? -1 : 1;
	}
	return (i > k) - (i < k);
}

static const char *
types_of(const struct diff_entry *e, char s[40])
{
	const char *a = e->type[0] ? e->type[0]->name : "-", *b = e->type[1] ? e->type[1]->name : "-";

	snprintf(s, 40, strcmp(a, b) ? "%s/%s" : "%s", a, b);
	return s;
}

/* Names come from files; err_set() takes the teeth out of them. */
static const char *
tame(const char *s, struct err *e)
{
	err_set(e, "%s", s);
	return e->msg;
}

static void
print_row(const struct diff_entry *e)
{
	char kinds[40], place[192], shape[2][192];
	enum status s = status_of(e);
	struct err name, why;

	tame(e->name, &name);
	if (e->kind == DIFF_BOTH && e->raw) {
		printf("%-10s %" PRIu64 " of %" PRIu64 " bytes differ, the first at %" PRIu64
		    "  %-12s %s\n", words[s], e->error.odd, e->error.n, e->error.odd_at,
		    types_of(e, kinds), name.msg);
	} else if (e->kind == DIFF_BOTH) {
		printf("%-10s %9.3g %9.3g %9.3g %-14s %8.6f %6.1f %6.2f  %-12s %s", words[s],
		    e->error.nmse, e->error.rmse, e->error.max, e->error.max > 0 ?
		    place_of(shape_of(e), e->error.max_at, place, sizeof place) : "-",
		    e->error.cosine, e->error.sqnr, 100 * e->error.equal, types_of(e, kinds),
		    name.msg);
		if (e->error.odd)
			printf(" (%" PRIu64 " not finite on one side, the first at %s)", e->error.odd,
			    place_of(shape_of(e), e->error.odd_at, place, sizeof place));
		printf("%s\n", e->tied[0] || e->tied[1] ? " (tied)" : "");
	} else {
		printf("%-10s %-12s %s", words[s], types_of(e, kinds), name.msg);
		for (int k = 0; k < 2; k++)
			if (e->t[k])
				printf(" %s%s", k && e->t[0] ? "and " : "",
				    tensor_shape(e->t[k], shape[k], sizeof shape[k]));
		printf(e->why ? ": %s\n" : "\n", e->why ? tame(e->why, &why) : "");
	}
}

static void
print_table(struct report *r)
{
	size_t n = diff_count(r->d), *v = calloc(n + 1, sizeof *v), bad = 0, shown = 0;
	struct err key, a, b;
	bool head = false;

	if (!v)
		die("out of memory");
	for (size_t i = 0; i < n; i++)
		if (status_of(diff_entry(r->d, i)) != SAME)
			v[bad++] = i;
	sorting = r->d;
	qsort(v, bad, sizeof *v, by_badness);
	for (size_t i = 0; i < bad && i < r->o->top; i++) {
		const struct diff_entry *e = diff_entry(r->d, v[i]);

		if (e->kind == DIFF_BOTH && !e->raw && !head) {
			head = true;
			printf("%-10s %9s %9s %9s %-14s %8s %6s %6s  %-12s %s\n", "", "NMSE", "RMSE",
			    "max|d|", "at", "cosine", "SQNR", "equal%", "types", "tensor");
		}
		print_row(e);
	}
	if (bad > r->o->top)
		printf("... and %zu more\n", bad - r->o->top);
	for (size_t i = 0; i < n; i++)
		if (diff_entry(r->d, i)->renamed && shown++ < r->o->top)
			printf("renamed    %s is %s\n", tame(diff_entry(r->d, i)->source[0], &a),
			    tame(diff_entry(r->d, i)->source[1], &b));
	for (size_t i = 0; i < r->nkey; i++)
		if ((r->key[i].a && r->key[i].b) || r->o->metadata == META_ALL || tool_verbose() ||
		    !strcmp(r->key[i].key, "tokenizer"))
			printf("metadata   %s: %.60s and %.60s\n", tame(r->key[i].key, &key),
			    r->key[i].a ? tame(r->key[i].a, &a) : "nothing",
			    r->key[i].b ? tame(r->key[i].b, &b) : "nothing");
	printf("%s: %zu tensors", r->different ? "different" : "same", n);
	for (int k = 0; k < STATUSES; k++)
		if (r->count[k])
			printf(", %zu %s", r->count[k], words[k]);
	printf("; %zu of another type, %zu keys compared", r->retyped, r->keys);
	printf(r->renamed ? ", %zu renamed\n" : "\n", r->renamed);
	free(v);
}

static void
put_side(struct buf *b, const char *key, const struct diff_entry *e, int k)
{
	char shape[192];

	put_key(b, key);
	if (!e->t[k]) {
		buf_str(b, "null");
		return;
	}
	buf_str(b, "{");
	put_text(b, "name", e->source[k]);
	if (e->several[k])
		buf_str(b, ",\"several\":true");
	if (e->tied[k])
		buf_str(b, ",\"tied\":true");
	put_text(b, "dtype", e->type[k]->name);
	put_key(b, "shape");
	buf_str(b, tensor_shape(e->t[k], shape, sizeof shape));
	buf_str(b, "}");
}

static void
put_entry(struct buf *b, const struct diff_entry *e)
{
	buf_str(b, "{");
	put_text(b, "name", e->name);
	put_text(b, "status", words[status_of(e)]);
	put_side(b, "a", e, 0);
	put_side(b, "b", e, 1);
	if (retyped(e))
		buf_str(b, ",\"retyped\":true");
	if (e->renamed)
		buf_str(b, ",\"renamed\":true");
	if (e->why)
		put_text(b, "why", e->why);
	if (e->kind == DIFF_BOTH && e->raw) {
		put_whole(b, "bytes", e->error.n);
		put_whole(b, "unequal_bytes", e->error.odd);
		put_key(b, "first_unequal_byte");
		e->error.odd ? buf_printf(b, "%" PRIu64, e->error.odd_at) : buf_str(b, "null");
	} else if (e->kind == DIFF_BOTH) {
		put_error(b, &e->error, shape_of(e));
	}
	buf_str(b, "}");
}

static void
print_json(struct report *r)
{
	struct buf b = { 0 };

	buf_str(&b, "{");
	put_text(&b, "a", r->o->path[0]);
	put_text(&b, "b", r->o->path[1]);
	put_text(&b, "verdict", r->different ? "different" : "same");
	put_key(&b, "summary");
	buf_str(&b, "{");
	put_whole(&b, "tensors", diff_count(r->d));
	for (int k = 0; k < STATUSES; k++)
		put_whole(&b, words[k], r->count[k]);
	put_whole(&b, "retyped", r->retyped);
	put_whole(&b, "renamed", r->renamed);
	put_whole(&b, "tied", r->tied);
	put_whole(&b, "left_out_a", diff_left(r->d, 0));
	put_whole(&b, "left_out_b", diff_left(r->d, 1));
	put_whole(&b, "keys", r->keys);
	put_whole(&b, "contradictions", r->contradictions);
	buf_str(&b, "},\"metadata\":[");
	for (size_t i = 0; i < r->nkey; i++) {
		buf_str(&b, i ? ",{" : "{");
		put_text(&b, "key", r->key[i].key);
		put_key(&b, "a");
		buf_str(&b, r->key[i].a ? r->key[i].a : "null");
		put_key(&b, "b");
		buf_str(&b, r->key[i].b ? r->key[i].b : "null");
		buf_str(&b, "}");
	}
	buf_str(&b, "],\"tensors\":[");
	for (size_t i = 0; i < diff_count(r->d); i++) {
		buf_str(&b, i ? ",\n" : "\n");
		put_entry(&b, diff_entry(r->d, i));
		put_out(&b);
	}
	buf_str(&b, "]}\n");
	put_out(&b);
	buf_release(&b);
}

int
diff_models(const struct diff_opts *o)
{
	struct report r = { .o = o };
	struct err e;

	open_two(o, r.s);
	if (!(r.d = diff_new(r.s[0], r.s[1], o->bytes, &e)))
		die("%s", e.msg);
	tool_progress_begin(diff_bytes(r.d));
	if (diff_run(r.d, o->jobs, tool_progress, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	judge(&r);
	if (o->json)
		print_json(&r);
	else if (!tool_quiet())
		print_table(&r);
	tool_flush();
	diff_free(r.d);
	source_close(r.s[0]);
	source_close(r.s[1]);
	arena_release(&r.arena);
	free(r.key);
	return r.different ? STATUS_DIFFERENT : STATUS_SAME;
}
