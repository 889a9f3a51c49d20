/* SPDX-License-Identifier: MIT */
/*
 * remap.c -- a sink whose format calls tensors otherwise, and lays them out
 * otherwise: each byte goes to its place as it comes.  Into a pipe, what
 * cannot be done in order is spilled first.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pack.h"

/* Whose names the output has: those of its source's header, if it is of the
 * same format. */
static int
wanted(const struct pack *p)
{
	if (p->nsrc > 0)
		return arch_conv_by_name(p->srcm[0]->convention);
	return p->t.format == &format_gguf ? ARCH_GGUF :
	    p->t.format == &format_apr ? ARCH_APR : ARCH_HF;
}

static int
open_model(struct pack *p, bool *unknown, struct err *e)
{
	const struct carried *config = pack_file(p, "config.json");
	const char *source = p->in->source, *text = p->in->metadata;

	*unknown = true;
	if (config)
		p->model = arch_open("hf", config->p, config->n, unknown, e);
	else if (!source || (strcmp(source, "gguf") && strcmp(source, "apr")))
		err_set(e, "no config.json says what architecture it is; known are: %s",
		    arch_known());
	else
		p->model = arch_open(source, text ? text : "{}", text ? strlen(text) : 2,
		    unknown, e);
	return p->model ? 0 : -1;
}

/* lattice's directories are Hugging Face's in all but the weights' files. */
static bool
lattices(const struct pack *p, int from)
{
	return from == ARCH_HF && (p->t.format == &format_lattice ||
	    (p->in->source && !strcmp(p->in->source, "lattice")));
}

int
pack_remap(struct pack *p, struct err *e)
{
	int from = arch_conv_by_name(p->in->convention), to = wanted(p);
	bool same = pack_same_format(p), unknown, gguf = p->t.format == &format_gguf;
	const char *what = p->t.dir ? "a directory" : p->t.format->name;

	if (p->t.opts.raw || (same && from == to && p->t.opts.order != ORDER_CONVERT))
		return 0;
	if (open_model(p, &unknown, e) < 0) {
		/* Only these two need to know what they hold. */
		if (unknown && !gguf && !(p->t.dir && !same && !lattices(p, from)))
			return 0;
		return unknown ? err_prefix(e, "%s from %s; --raw writes names as they are", what,
		    p->in->source ? p->in->source : "this stream") : -1;
	}
	if (from < 0 || to < 0)
		return err_set(e, "the stream does not say what its tensors are called after");
	if (from == to)
		return 0;
	if (!(p->map = arch_map_new(p->model, p->in, (enum arch_conv)from, (enum arch_conv)to, e)))
		return -1;
	if (p->map->left > 0)
		buf_printf(&p->notes, "%zu tensors have no place in %s and were left out, %s among"
		    " them\n", p->map->left, what, p->map->left_name);
	for (size_t i = 0; p->t.dir && i < p->map->nout; i++)
		if (arch_in_config(p->map->out[i].name) && p->ncaptured < 4)
			p->captured[p->ncaptured++].name = p->map->out[i].name;
	p->own = *p->in;
	p->own.tensor = p->map->out;
	p->own.ntensor = p->map->nout;
	p->own.convention = arch_conv_name((enum arch_conv)to);
	p->m = &p->own;
	return manifest_check(p->m, e);
}

struct captured *
pack_captured(struct pack *p, const char *name)
{
	for (size_t i = 0; i < p->ncaptured; i++)
		if (!strcmp(p->captured[i].name, name))
			return &p->captured[i];
	return NULL;
}

/* A group's outputs lie behind each other in the map. */
static size_t
first_out(const struct pack *p, uint32_t g)
{
	size_t lo = 0, hi = p->map->nout;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (p->map->of[mid].group < g)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct run {
	struct pack	*p;
	uint32_t	 g;
	size_t		 first;		/* out */
	uint64_t	 at;		/* of what is emitted in order */
};

/* Bytes of a group's run to the tensors they are part of. */
static int
put(void *ctx, const void *data, uint64_t at, size_t n, struct err *e)
{
	struct run *r = ctx;
	const struct arch_map *map = r->p->map;
	const unsigned char *b = data;
	size_t i = r->first;

	while (n > 0) {
		const struct tensor *t;
		struct captured *c;
		uint64_t off;
		size_t k;

		while (i + 1 < map->nout && map->of[i + 1].group == r->g &&
		    map->of[i + 1].at <= at)
			i++;
		t = &map->out[i];
		off = at - map->of[i].at;
		if (off >= t->bytes)
			return 0;	/* rows beyond the vocabulary */
		k = t->bytes - off < n ? (size_t)(t->bytes - off) : n;
		if ((c = pack_captured(r->p, t->name))) {
			if (c->data.len + k <= 1 << 20)
				buf_put(&c->data, b, k);
		} else if (pack_put(r->p, i, b, off, k, e) < 0) {
			return -1;
		}
		b += k;
		at += k;
		n -= k;
	}
	return 0;
}

static int
put_scatter(void *ctx, const void *b, uint64_t at, size_t n, struct err *e)
{
	(void)at;
	return scatter_write(((struct run *)ctx)->p->scatter, b, n, e);
}

static int
put_spill(void *ctx, const void *b, uint64_t at, size_t n, struct err *e)
{
	return io_temp_put(((struct run *)ctx)->p->spill, b, n, at, e);
}

static int
get_spill(void *ctx, void *dst, uint64_t at, size_t n, struct err *e)
{
	return io_pread(((struct run *)ctx)->p->spill, dst, n, at, e);
}

static int
emit_run(void *ctx, const void *b, size_t n, struct err *e)
{
	struct run *r = ctx;
	uint64_t at = r->at;

	r->at += n;
	return put(ctx, b, at, n, e);
}

/* The member, values changed, piece by piece to `to`. */
static int
pull(struct run *r, struct stream_in *in, const struct arch_group *g, uint64_t at,
    uint64_t left, shuffle_put *to, struct err *e)
{
	bool same = g->from == g->to && g->value == VALUE_SAME;
	unsigned char raw[8192], made[sizeof raw * 4];
	size_t n, fb = g->from->bytes;
	const void *b;
	int k;

	if (same) {
		while ((k = stream_some(in, &b, &n, e)) > 0) {
			if (to(r, b, at, n, e) < 0)
				return -1;
			at += n;
		}
		return k;
	}
	for (; left > 0; left -= n) {
		n = left < sizeof raw / fb * fb ? (size_t)left : sizeof raw / fb * fb;
		if (stream_read(in, raw, n, e) < 0)
			return -1;
		arch_values(g, made, raw, n / fb);
		if (to(r, made, at, n / fb * g->to->bytes, e) < 0)
			return -1;
		at += n / fb * g->to->bytes;
	}
	return 0;
}

/* Are all files such that bytes can go anywhere? */
static bool
seekable(const struct pack *p)
{
	for (size_t k = 0; k < p->nout; k++)
		if (!p->out[k].seek)
			return false;
	return true;
}

int
pack_mapped(struct pack *p, struct stream_in *in, const struct member *m, struct err *e)
{
	const struct arch_part *part = &p->map->in[m->index];
	const struct arch_group *g;
	struct run r = { .p = p, .g = part->group };
	int k = 0;

	if (part->group == ARCH_LEFT_OUT)
		return 0;
	g = &p->map->group[part->group];
	r.first = first_out(p, part->group);
	if (shuffle_none(&g->sh)) {
		k = pull(&r, in, g, part->at, m->bytes, put, e);
	} else if (seekable(p)) {
		if (!(p->scatter = scatter_new(&g->sh, put, &r, e)))
			return -1;
		scatter_seek(p->scatter, part->at);
		if ((k = pull(&r, in, g, part->at, m->bytes, put_scatter, e)) == 0)
			k = scatter_flush(p->scatter, e);
		scatter_free(p->scatter);
		p->scatter = NULL;
	} else {
		if (p->spill < 0 && (p->spill = io_temp(e)) < 0)
			return -1;
		k = pull(&r, in, g, part->at, m->bytes, put_spill, e);
		/* With its last source the run is complete, if they come in order;
		 * if they do not, nothing in a pipe would be right. */
		if (k == 0 && part->at + m->bytes / g->from->bytes * g->to->bytes >= g->sh.total) {
			k = shuffle_gather(&g->sh, 0, g->sh.total, get_spill, emit_run, &r, e);
			close(p->spill);
			p->spill = -1;
		}
	}
	return k < 0 ? -1 : pack_made(p, e);
}

int
pack_made(struct pack *p, struct err *e)
{
	for (size_t i = 0; p->map && i < p->map->nout; i++) {
		struct arch_group *g = &p->map->group[p->map->of[i].group];
		const struct output *o;
		size_t pos;

		if (!g->data || p->place[i].out == SIZE_MAX)
			continue;
		o = &p->out[p->place[i].out];
		pos = p->place[i].pos;
		if (!o->seek && o->next != pos)
			continue;	/* its turn comes */
		if (pack_put(p, i, g->data, 0, (size_t)g->sh.total, e) < 0)
			return -1;
		g->data = NULL;
	}
	return 0;
}
