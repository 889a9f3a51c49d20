/* SPDX-License-Identifier: MIT */
/*
 * as_copy.c -- a source's tensors in another convention or another order than
 * they lie in.  A source that can seek is read wherever the next byte of the
 * output is; from a pipe, tensors come in their own order, and one that must
 * be turned is spilled.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"

/* Reading for one output tensor. */
struct reading {
	struct source	*s;
	struct stream_out *out;
	const struct arch_group *g;
	const struct tensor *t;		/* for messages */
	void		(*progress)(uint64_t);
	const uint32_t	*first;		/* sources of groups, chained */
	const uint32_t	*next;
	uint32_t	 cur;		/* the source read last */
	int		 spill;		/* has the group's run, or -1 */
};

#define END	UINT32_MAX

static int
emit(void *ctx, const void *p, size_t n, struct err *e)
{
	struct reading *r = ctx;

	if (r->progress)
		r->progress(n);
	return stream_write(r->out, p, n, e);
}

/* The source that has byte `at` of the run; sources are chained by place. */
static const struct tensor *
find(struct reading *r, uint64_t at, uint64_t *from, uint64_t *to)
{
	const struct arch_map *map = r->s->as;
	uint32_t g = map->of[r->t->offset].group, i = r->cur;

	if (i == END || map->in[i].group != g || map->in[i].at > at)
		i = r->first[g];
	while (r->next[i] != END && map->in[r->next[i]].at <= at)
		i = r->next[i];
	r->cur = i;
	*from = map->in[i].at;
	*to = r->next[i] == END ? UINT64_MAX : map->in[r->next[i]].at;
	return &r->s->from[i];
}

/* Bytes of the run, in its type: where they lie in a file, converted. */
static int
get(void *ctx, void *dst, uint64_t at, size_t n, struct err *e)
{
	struct reading *r = ctx;
	const struct arch_group *g = r->g;
	unsigned char *d = dst, raw[4096];
	uint64_t from, to, k, off;

	if (r->spill >= 0)
		return io_pread(r->spill, dst, n, at, e);
	while (n > 0) {
		const struct tensor *t = find(r, at, &from, &to);

		k = to - at < n ? to - at : n;
		off = at - from;
		if (g->from == g->to && g->value == VALUE_SAME) {
			if (source_get(r->s, t, off, d, (size_t)k, e) < 0)
				return -1;
		} else {
			uint64_t most = sizeof raw / g->from->bytes * g->to->bytes;

			k = k < most ? k : most;
			off = off / g->to->bytes * g->from->bytes;
			if (source_get(r->s, t, off, raw, (size_t)(k / g->to->bytes *
			    g->from->bytes), e) < 0)
				return -1;
			arch_values(g, d, raw, (size_t)(k / g->to->bytes));
		}
		d += k;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

static int
copy_seeking(struct reading *r, struct err *e)
{
	struct source *s = r->s;

	for (size_t i = 0; i < s->m->ntensor; i++) {
		const struct tensor *t = &s->m->tensor[i];

		if (stream_member(r->out, MEMBER_TENSOR, t->name, t->bytes, e) < 0)
			return -1;
		if (t->bytes == 0)
			continue;
		r->t = t;
		r->g = &s->as->group[s->as->of[t->offset].group];
		if (r->g->data ? emit(r, r->g->data, (size_t)t->bytes, e) < 0 :
		    shuffle_gather(&r->g->sh, s->as->of[t->offset].at, t->bytes, get, emit,
		    r, e) < 0)
			return err_prefix(e, "%s", t->name);
	}
	return 0;
}

/* The next tensor of a pipe in pieces: values changed, then to `to`. */
static int
pull(struct reading *r, const struct tensor *t, shuffle_put *to, void *ctx, uint64_t at,
    struct err *e)
{
	struct in *in = r->s->part[0].in;
	const struct arch_group *g = r->g;
	size_t fb = g->from->bytes, tb = g->to->bytes;
	unsigned char raw[8192], made[sizeof raw * 4];
	uint64_t left = t->bytes;

	if (in_zeros(in, t->offset - in_pos(in), "gap before it", e) < 0)
		return err_prefix(e, "%s", t->name);
	while (left > 0) {
		bool same = g->from == g->to && g->value == VALUE_SAME;
		size_t k = left < sizeof raw ? (size_t)left : same ? sizeof raw :
		    sizeof raw / fb * fb;

		if (in_read(in, raw, k, e) < 0)
			return err_prefix(e, "%s", t->name);
		left -= k;
		if (!same) {
			arch_values(g, made, raw, k / fb);
			k = k / fb * tb;
		}
		/* Rows beyond the vocabulary end here. */
		if (at < g->sh.total && to(ctx, same ? raw : made, at,
		    k < g->sh.total - at ? k : (size_t)(g->sh.total - at), e) < 0)
			return -1;
		at += k;
	}
	return 0;
}

static int
put_emit(void *ctx, const void *p, uint64_t at, size_t n, struct err *e)
{
	(void)at;
	return emit(ctx, p, n, e);
}

static int
put_spill(void *ctx, const void *p, uint64_t at, size_t n, struct err *e)
{
	return io_temp_put(((struct reading *)ctx)->spill, p, n, at, e);
}

static int
need_seek(const struct tensor *t, struct err *e)
{
	return err_set(e, "%s: comes in another order than it is wanted in: that needs a source"
	    " that can seek, not a pipe", t->name);
}

/* Over sources that have no place, up to number `to`. */
static int
pass_over(struct reading *r, size_t *at, size_t to, struct err *e)
{
	struct in *in = r->s->part[0].in;

	for (; *at < to && r->s->as->in[*at].group == ARCH_LEFT_OUT; ++*at) {
		const struct tensor *t = &r->s->from[*at];

		if (in_skip(in, t->offset + t->bytes - in_pos(in), e) < 0)
			return err_prefix(e, "%s", t->name);
	}
	return 0;
}

/* From a pipe: outputs in the order of their sources. */
static int
copy_piped(struct reading *r, struct err *e)
{
	struct source *s = r->s;
	size_t at = 0;

	for (size_t i = 0; i < s->m->ntensor; i++) {
		const struct tensor *t = &s->m->tensor[i];
		uint32_t g = s->as->of[t->offset].group;
		bool whole = s->as->of[t->offset].at == 0 && t->bytes == s->as->group[g].sh.total;

		if (stream_member(r->out, MEMBER_TENSOR, t->name, t->bytes, e) < 0)
			return -1;
		r->t = t;
		r->g = &s->as->group[g];
		if (r->g->data) {
			if (emit(r, r->g->data, (size_t)t->bytes, e) < 0)
				return -1;
			continue;
		}
		if (s->as->of[t->offset].at == 0) {
			/* Its sources are the next ones, but for what goes. */
			for (uint32_t k = r->first[g]; k != END; k = r->next[k]) {
				if (pass_over(r, &at, k, e) < 0)
					return -1;
				if (at != k)
					return need_seek(t, e);
				at++;
				if (k == r->first[g] && !(whole && shuffle_none(&r->g->sh)) &&
				    (r->spill = io_temp(e)) < 0)
					return -1;
				if (pull(r, &s->from[k], r->spill < 0 ? put_emit : put_spill,
				    r, s->as->in[k].at, e) < 0)
					return -1;
			}
		} else if (r->spill < 0) {
			return need_seek(t, e);
		}
		if (r->spill >= 0 && shuffle_gather(&r->g->sh, s->as->of[t->offset].at,
		    t->bytes, get, emit, r, e) < 0)
			return -1;
		/* The last part of a group lets its spilled copy go. */
		if (r->spill >= 0 && s->as->of[t->offset].at + t->bytes == r->g->sh.total) {
			close(r->spill);
			r->spill = -1;
		}
	}
	return pass_over(r, &at, s->nfrom, e);
}

/* Without a map, everything is one to one. */
static int
trivial(struct source *s, struct err *e)
{
	size_t n = s->m->ntensor;

	if (!(s->as = calloc(1, sizeof *s->as)) ||
	    !(s->from = malloc((n + 1) * sizeof *s->from)) ||
	    !(s->as->of = calloc(n + 1, sizeof *s->as->of)) ||
	    !(s->as->in = calloc(n + 1, sizeof *s->as->in)) ||
	    !(s->as->group = calloc(n + 1, sizeof *s->as->group)))
		return err_set(e, "out of memory");
	memcpy(s->from, s->m->tensor, n * sizeof *s->from);
	s->nfrom = s->as->nin = s->as->nout = s->as->ngroup = n;
	for (size_t i = 0; i < n; i++) {
		const struct tensor *t = &s->from[i];

		s->as->of[i].group = s->as->in[i].group = (uint32_t)i;
		s->as->group[i] = (struct arch_group){ .from = t->type, .to = t->type,
		    .sh = { .total = t->bytes, .batch = 1, .a = 1, .b = 1 } };
		s->m->tensor[i].offset = i;
	}
	return 0;
}

int
as_copy(struct source *s, struct stream_out *out, void (*progress)(uint64_t),
    struct err *e)
{
	struct reading r = { .s = s, .out = out, .progress = progress, .cur = END, .spill = -1 };
	uint32_t *first = NULL, *next = NULL, *last = NULL;
	int k = -1;

	if (!s->as && trivial(s, e) < 0)
		return -1;
	if (!(first = malloc((s->as->ngroup + 1) * sizeof *first)) ||
	    !(last = malloc((s->as->ngroup + 1) * sizeof *last)) ||
	    !(next = malloc((s->nfrom + 1) * sizeof *next))) {
		err_set(e, "out of memory");
		goto out;
	}
	for (size_t g = 0; g < s->as->ngroup; g++)
		first[g] = last[g] = END;
	/* Chained in order of place: sources of a group usually come so, else
	 * each is put where it belongs. */
	for (uint32_t i = 0; i < s->nfrom; i++) {
		uint32_t g = s->as->in[i].group, at, before = END;

		next[i] = END;
		if (g == ARCH_LEFT_OUT)
			continue;
		if (last[g] != END && s->as->in[last[g]].at <= s->as->in[i].at) {
			next[last[g]] = i;
			last[g] = i;
			continue;
		}
		for (at = first[g]; at != END && s->as->in[at].at < s->as->in[i].at; at = next[at])
			before = at;
		next[i] = at;
		if (before == END)
			first[g] = i;
		else
			next[before] = i;
		if (at == END)
			last[g] = i;
	}
	r.first = first;
	r.next = next;
	k = source_seekable(s) ? copy_seeking(&r, e) : copy_piped(&r, e);
	if (r.spill >= 0)
		close(r.spill);
out:
	free(first);
	free(last);
	free(next);
	return k;
}
