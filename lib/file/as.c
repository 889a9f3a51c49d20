/* SPDX-License-Identifier: MIT */
/*
 * as.c -- a source's tensors in another convention or another order.  A
 * source that can seek is read wherever the next byte of the output is; from
 * a pipe, tensors come in their own order, and one that must be turned is
 * spilled.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"
#include "spot.h"

static int
gather_text(void *ctx, const void *p, size_t n, struct err *e)
{
	buf_put(ctx, p, n);
	return buf_check(ctx, e);
}

/* config.json, wherever it travels; b stays empty if it does not. */
static int
read_config(struct source *s, struct buf *b, struct err *e)
{
	for (size_t i = 0; i < s->m->nfile; i++) {
		const struct where_is *w = &s->file[i];
		struct buf path = { 0 };
		struct in *in = NULL;
		int fd, r = -1;

		if (strcmp(s->m->file[i].name, "config.json") || w->where == FILE_HEADER)
			continue;
		if (w->where == FILE_HELD)
			return held_read(&s->part[0].h, w->index, gather_text, b, e);
		buf_printf(&path, "%s/config.json", s->dir.dir);
		buf_put(&path, "", 1);
		if (buf_check(&path, e) < 0)
			return -1;
		if ((fd = open((char *)path.p, O_RDONLY | O_CLOEXEC)) < 0)
			err_sys(e, "%s", (char *)path.p);
		else if ((in = in_open(fd, e)))
			r = in_append(in, b, s->m->file[i].bytes, e);
		in_close(in);
		if (fd >= 0)
			close(fd);
		buf_release(&path);
		return r;
	}
	return 0;
}

/* Do these have metadata of their own? */
static bool
says_architecture(const char *source)
{
	return !strcmp(source, "gguf") || !strcmp(source, "apr");
}

const struct arch_model *
source_model(struct source *s, struct err *e)
{
	struct buf config = { 0 };
	const char *source = s->m->source;
	bool unknown;

	if (s->model)
		return s->model;
	if (read_config(s, &config, e) < 0)
		goto out;
	if (config.len > 0)
		s->model = arch_open("hf", config.p, config.len, &unknown, e);
	else if (!says_architecture(source))
		err_set(e, "no config.json says what architecture it is");
	else
		s->model = arch_open(source, s->m->metadata ? s->m->metadata : "{}",
		    s->m->metadata ? strlen(s->m->metadata) : 2, &unknown, e);
out:
	buf_release(&config);
	return s->model;
}

/* m->tensor anew, in the order of `which`. */
static int
arrange(struct source *s, const struct tensor *t, const size_t *which, size_t n,
    struct err *e)
{
	struct tensor *v = calloc(n + 8, sizeof *v);

	if (!v)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < n; i++)
		v[i] = t[which[i]];
	free(s->m->tensor);
	s->m->tensor = v;
	s->m->ntensor = n;
	return 0;
}

static size_t *
counted(size_t n, struct err *e)
{
	size_t *v = calloc(n + 1, sizeof *v);

	if (!v)
		err_set(e, "out of memory");
	for (size_t i = 0; v && i < n; i++)
		v[i] = i;
	return v;
}

int
source_as(struct source *s, enum arch_conv to, struct err *e)
{
	struct manifest *m = s->m;
	const struct arch_model *model;
	struct tensor *from;
	size_t *which;
	int conv, r = -1;

	if (s->stream)
		return err_set(e, "a saved stream keeps its convention; apr-pack maps it");
	if ((conv = arch_conv_by_name(m->convention)) < 0)
		return err_set(e, "the source does not say what its tensors are called after");
	if (conv == (int)to)
		return 0;
	if (!(model = source_model(s, e)) ||
	    !(s->as = arch_map_new(model, m, (enum arch_conv)conv, to, e)))
		return -1;
	if (!(which = counted(s->as->nout, e)))
		return -1;
	if (!(from = malloc((m->ntensor + 1) * sizeof *from))) {
		err_set(e, "out of memory");
		goto out;
	}
	memcpy(from, m->tensor, m->ntensor * sizeof *from);
	s->from = from;
	s->nfrom = m->ntensor;
	if (to == ARCH_GGUF && arch_order_convert(model, s->as->out, which, s->as->nout, e) < 0)
		goto out;
	if (arrange(s, s->as->out, which, s->as->nout, e) < 0)
		goto out;
	m->convention = arch_conv_name(to);
	s->reordered = true;
	r = 0;
out:
	free(which);
	return r;
}

static int
by_tensor_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static int
by_quantize(const void *a, const void *b)
{
	return order_quantize(((const struct tensor *)a)->name,
	    ((const struct tensor *)b)->name);
}

static const struct tensor *sorting;

static int
by_index(const void *a, const void *b)
{
	return order_quantize(sorting[*(const size_t *)a].name, sorting[*(const size_t *)b].name);
}

struct rank {
	size_t	 index, out;
	uint64_t at;
};

static int
by_rank(const void *pa, const void *pb)
{
	const struct rank *a = pa, *b = pb;

	if (a->out != b->out)
		return a->out < b->out ? -1 : 1;
	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* Tensors that keep their names, in the order in which a sink that writes
 * GGUF needs them. */
static int
order_for_gguf(struct source *s, const struct arch_model *model, enum order o, struct err *e)
{
	size_t n = s->m->ntensor, *which = NULL, *place = NULL;
	struct rank *v = calloc(n + 1, sizeof *v);
	struct arch_map *map = arch_map_new(model, s->m,
	    (enum arch_conv)arch_conv_by_name(s->m->convention), ARCH_GGUF, e);
	int r = -1;

	if (!map || !v || !(which = counted(map->nout, e)) ||
	    !(place = counted(map->ngroup, e)))
		goto out;
	if (o == ORDER_CONVERT) {
		if (arch_order_convert(model, map->out, which, map->nout, e) < 0)
			goto out;
	} else {
		sorting = map->out;
		qsort(which, map->nout, sizeof *which, by_index);
	}
	for (size_t i = map->nout; i-- > 0; )
		place[map->of[which[i]].group] = i;
	for (size_t i = 0; i < n; i++) {
		uint32_t g = map->in[i].group;

		v[i] = (struct rank){ i, g == ARCH_LEFT_OUT ? SIZE_MAX : place[g],
		    map->in[i].at };
	}
	qsort(v, n, sizeof *v, by_rank);
	free(which);
	if (!(which = counted(n, e)))
		goto out;
	for (size_t i = 0; i < n; i++)
		which[i] = v[i].index;
	r = arrange(s, s->m->tensor, which, n, e);
out:
	if (!v)
		err_set(e, "out of memory");
	arch_map_free(map);
	free(v);
	free(which);
	free(place);
	return r;
}

int
source_order(struct source *s, enum order o, struct err *e)
{
	struct manifest *m = source_manifest(s);
	const struct arch_model *model = NULL;
	struct err ignored;
	size_t *which;
	int r;

	if (o == ORDER_SOURCE)
		return 0;
	if (s->stream)
		return err_set(e, "a saved stream keeps its order");
	if (!m->plan && !source_seekable(s))
		return err_set(e, "another order needs a source that can seek, not a pipe");
	s->reordered = true;
	if (o == ORDER_CONVERT && !(model = source_model(s, e)))
		return err_prefix(e, "--order convert");
	if (!strcmp(m->convention, "gguf") && o == ORDER_CONVERT) {
		if (!(which = counted(m->ntensor, e)))
			return -1;
		r = arch_order_convert(model, m->tensor, which, m->ntensor, e);
		if (r == 0)
			r = arrange(s, m->tensor, which, m->ntensor, e);
		free(which);
		return r;
	}
	if (o != ORDER_NAME && strcmp(m->convention, "gguf") &&
	    (model || (model = source_model(s, &ignored)))) {
		r = order_for_gguf(s, model, o, o == ORDER_CONVERT ? e : &ignored);
		/* What can never be GGUF is still in order of some kind. */
		if (r == 0 || o == ORDER_CONVERT)
			return r;
	}
	qsort(m->tensor, m->ntensor, sizeof *m->tensor,
	    o == ORDER_NAME ? by_tensor_name : by_quantize);
	return 0;
}

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
