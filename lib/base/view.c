/* SPDX-License-Identifier: MIT */
/*
 * view.c -- what people and jq see of a model's metadata: all of it, but
 * for the parts that are as long as a vocabulary.
 */
#include <stdlib.h>
#include <string.h>

#include <apr/json.h>

enum {
	ARRAY_MAX = 64,		/* elements shown */
	LAYERS_MAX = 1024,	/* numbers kept until the layers are known */
	OBJECT_MAX = 256,	/* members of an inner object shown */
	STRING_MAX = 4096,	/* bytes */
};

struct level {
	size_t	 at;		/* where its text begins in out */
	uint64_t count;
	bool	 object, numbers, dropped;
};

/* An array of more than 64 numbers that may be one a layer. */
struct pending {
	size_t	 at, end;
	uint64_t count;
};

struct view {
	struct buf	 out;
	struct json_writer w;
	struct level	 level[JSON_DEPTH + 1];
	int		 depth, dropped;	/* dropped: levels inside one that is */
	bool		 layers_next;		/* the key said: a layer count */
	uint64_t	 layers;
	struct pending	*pend;
	size_t		 npend;
};

struct view *
view_new(struct err *e)
{
	struct view *v = calloc(1, sizeof *v);

	if (v)
		v->w.out = &v->out;
	else
		err_set(e, "out of memory");
	return v;
}

static bool
is_layer_key(const char *s, size_t n)
{
	static const char *const names[] = {
		"num_hidden_layers", "num_layers", "n_layers", "n_layer", "block_count",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t k = strlen(names[i]);

		if (n >= k && !memcmp(s + n - k, names[i], k) &&
		    (n == k || s[n - k - 1] == '.'))
			return true;
	}
	return false;
}

static void
put_count(struct buf *b, uint64_t n)
{
	buf_printf(b, "{\"count\":%llu}", (unsigned long long)n);
}

static int
remember(struct view *v, size_t at, uint64_t count, struct err *e)
{
	if (array_room(&v->pend, v->npend, sizeof *v->pend, e) < 0)
		return -1;
	v->pend[v->npend++] = (struct pending){ at, v->out.len, count };
	return 0;
}

/* A container ends: its text stays, or gives way to its count. */
static int
close_container(struct view *v, enum json_ev ev, struct err *e)
{
	struct level *l = &v->level[v->depth--];

	if (l->dropped) {
		v->out.len = l->at;
		v->w.depth--;
		if (--v->dropped == 0) {
			put_count(&v->out, l->count);
			v->w.comma = true;
			v->w.key = false;
		}
		return 0;
	}
	if (json_write(&v->w, ev, NULL, 0, e) < 0)
		return -1;
	if (!l->object && l->count > ARRAY_MAX)
		return remember(v, l->at, l->count, e);
	return 0;
}

/* One more in the container around: too many, and its text is dropped. */
static void
count_child(struct view *v, enum json_ev ev)
{
	struct level *l = &v->level[v->depth];

	if (v->depth == 0 || (l->object && ev != JSON_KEY))
		return;
	l->count++;
	if (!l->object && ev != JSON_NUMBER && ev != JSON_TRUE && ev != JSON_FALSE)
		l->numbers = false;
	if (!l->dropped && (l->object ? v->depth > 1 && l->count > OBJECT_MAX :
	    l->count > (l->numbers ? LAYERS_MAX : ARRAY_MAX))) {
		l->dropped = true;
		v->dropped++;
		v->out.len = l->at;
		while (v->npend > 0 && v->pend[v->npend - 1].at >= l->at)
			v->npend--;
	}
}

int
view_event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct view *v = ctx;

	if (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END)
		return close_container(v, ev, e);
	count_child(v, ev);
	if (ev == JSON_NUMBER && v->layers_next)
		(void)json_u64(s, n, &v->layers);
	v->layers_next = ev == JSON_KEY && is_layer_key(s, n);
	if (ev == JSON_OBJECT || ev == JSON_ARRAY) {
		size_t at;

		if (v->depth == JSON_DEPTH)
			return err_set(e, "metadata nested more than %d deep", JSON_DEPTH);
		/* Behind the comma that json_write is about to put. */
		at = v->out.len + (v->w.comma && !v->w.key && !v->dropped);
		v->level[++v->depth] = (struct level){
			.at = at, .object = ev == JSON_OBJECT, .numbers = true,
		};
	}
	if (v->dropped) {
		/* Levels opened inside a dropped one go with it. */
		if (ev == JSON_OBJECT || ev == JSON_ARRAY) {
			v->level[v->depth].dropped = true;
			v->level[v->depth].at = v->out.len;
			v->dropped++;
			v->w.depth++;
		}
		return 0;
	}
	if (ev == JSON_STRING && n > STRING_MAX) {
		if (v->w.comma && !v->w.key)
			buf_put(&v->out, ",", 1);
		put_count(&v->out, n);
		v->w.comma = true;
		v->w.key = false;
		return 0;
	}
	return json_write(&v->w, ev, s, n, e);
}

const char *
view_text(struct view *v, struct err *e)
{
	struct buf all = { 0 };
	size_t from = 0;

	if (v->npend == 0) {
		buf_put(&v->out, "", 1);
		return buf_check(&v->out, e) < 0 ? NULL : (const char *)v->out.p;
	}
	for (size_t i = 0; i < v->npend; i++) {
		const struct pending *p = &v->pend[i];

		if (p->count == v->layers || p->at < from)
			continue;
		buf_put(&all, v->out.p + from, p->at - from);
		put_count(&all, p->count);
		from = p->end;
	}
	buf_put(&all, v->out.p + from, v->out.len - from);
	buf_put(&all, "", 1);
	buf_release(&v->out);
	v->out = all;
	v->npend = 0;
	return buf_check(&v->out, e) < 0 ? NULL : (const char *)v->out.p;
}

void
view_free(struct view *v)
{
	if (!v)
		return;
	buf_release(&v->out);
	free(v->pend);
	free(v);
}
