/* SPDX-License-Identifier: MIT */
/* plan.c -- headers, and where each tensor goes, before there are tensors. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"

/* Bytes that may be empty between tensors, besides what aligns each. */
#define GAPS	((uint64_t)64 << 20)
#define ALIGN	((uint64_t)65536)

/* May the source's header be written as it is?  Names, types, shapes,
 * lengths and order are its own, and none of the format's keys was touched. */
static bool
is_verbatim(const struct pack *p, const struct output *o, size_t k)
{
	const struct manifest *s = p->srcm[k], *m = p->m;

	if (s->ntensor != o->n)
		return false;
	/* A directory's metadata is not in its headers. */
	if (p->t.format != &format_gguf && strcmp(m->source, "hf") && json_is_edited(m))
		return false;
	for (size_t i = 0; i < m->nset; i++)
		if (p->t.format->has_key(m->set[i].key))
			return false;
	for (size_t i = 0; i < m->nunset; i++)
		if (p->t.format->has_key(m->unset[i]))
			return false;
	for (size_t i = 0; i < o->n; i++) {
		const struct tensor *a = &s->tensor[i], *b = &m->tensor[o->which[i]];

		if (strcmp(a->name, b->name) || a->type != b->type ||
		    !tensor_same_shape(a, b) || a->bytes != b->bytes ||
		    a->flat != b->flat || a->row_bytes != b->row_bytes)
			return false;
	}
	return true;
}

static int
lay_out(struct pack *p, size_t k, uint64_t bytes, const char *pattern, struct err *e)
{
	struct output *o = &p->out[k];
	size_t src = !p->t.cut && p->nout > 1 && p->nout == p->nsrc ? k : 0;
	bool one = !p->t.cut && (p->nsrc == 1 || (p->nout == p->nsrc && p->nsrc > 0));
	struct layout_in in = {
		.m = p->m, .which = o->which, .n = o->n,
		.part = k, .parts = p->t.cut ? p->nout : 0, .cache = &p->part_meta,
		.bytes = bytes, .pattern = pattern,
		.source = p->nsrc ? &p->src[src] : p->has_made ? &p->made : NULL,
		.files = p->file, .nfiles = p->nfile, .opts = &p->t.opts,
		.members = p->has_members ? &p->members : NULL, .tied = p->tied,
	};

	uint64_t full;

	o->end = 0;
	if (one && is_verbatim(p, o, src)) {
		struct header *h = &p->src[src];

		o->verbatim = true;
		o->align = h->align;
		o->l.head = h->raw;
		memset(&h->raw, 0, sizeof h->raw);
		o->l.footer = h->footer;
		if (!(o->l.offset = calloc(o->n + 1, sizeof *o->l.offset)))
			return err_set(e, "out of memory");
		for (size_t i = 0; i < o->n; i++)
			o->l.offset[i] = p->srcm[src]->tensor[i].offset;
	} else if (p->t.format->layout(&in, &o->l, e) < 0) {
		return -1;
	}
	o->end = full = o->l.head.len;
	for (size_t i = 0; i < o->n; i++) {
		const struct tensor *t = &p->m->tensor[o->which[i]];

		full += t->tied_to ? 0 : t->bytes;
		if (!t->tied_to && o->l.offset[i] + t->bytes > o->end)
			o->end = o->l.offset[i] + t->bytes;
		if (p->place) {
			p->place[o->which[i]].out = k;
			p->place[o->which[i]].pos = i;
		}
	}
	/* Zeros are written into a pipe: a few bytes must not ask for terabytes. */
	if (o->verbatim && o->end > full && o->end - full > GAPS + o->n * ALIGN)
		return err_set(e, "the source's header leaves %" PRIu64 " bytes empty between"
		    " tensors", o->end - full);
	if (!p->m->plan && o->l.footer && (!(o->crc = calloc(o->n + 1, sizeof *o->crc)) ||
	    !(o->crc_at = calloc(o->n + 1, sizeof *o->crc_at))))
		return err_set(e, "out of memory");
	return 0;
}

/* aprender's pattern of its parts' names, if that is what they are. */
static char *
part_pattern(const struct pack *p, struct err *e)
{
	char *prefix = cut_prefix(p->t.path, e), *s = NULL;
	const char *base = prefix ? path_base(prefix) : NULL;

	if (base && !(s = malloc(strlen(base) + 32)))
		err_set(e, "out of memory");
	if (s)
		sprintf(s, "%s{:05d}-of-{:05d}%s", base, p->t.format->suffix);
	free(prefix);
	return s;
}

static int
lay_out_all(struct pack *p, struct err *e)
{
	bool named = p->t.cut && p->t.cut != CUT_EACH;
	char *pattern = NULL;
	uint64_t bytes = 0;
	int r = 0;

	if (named && !(pattern = part_pattern(p, e)))
		return -1;
	for (size_t i = 0; i < p->m->ntensor; i++)
		bytes += p->m->tensor[i].bytes;
	for (size_t k = 0; r == 0 && k < p->nout; k++)
		r = lay_out(p, k, bytes, pattern, e);
	free(pattern);
	return r;
}

static int
make_index(struct pack *p, struct err *e)
{
	const char **shard;
	int r;

	if (p->t.format == &format_lattice) {
		p->keep_index = true;
		return lattice_index(p->m, &p->index, e);
	}
	if (p->keep_index)
		return 0;
	p->index.len = 0;	/* an old one is wrong now */
	if (p->nout < 2 && !p->t.cut)
		return 0;
	if (!(shard = calloc(p->m->ntensor + 1, sizeof *shard)))
		return err_set(e, "out of memory");
	for (size_t k = 0; k < p->nout; k++)
		for (size_t i = 0; i < p->out[k].n; i++)
			shard[p->out[k].which[i]] = path_base(p->out[k].name);
	r = hfdir_index(p->m, shard, &p->index, e);
	free(shard);
	return r;
}

int
pack_plan(struct pack *p, struct err *e)
{
	const struct manifest *m = p->m;

	if (pack_parse_sources(p, e) < 0 || pack_remap(p, e) < 0 || pack_divide(p, e) < 0)
		return -1;
	m = p->m;
	if (!m->plan && !(p->place = calloc(m->ntensor + 1, sizeof *p->place)))
		return err_set(e, "out of memory");
	for (size_t i = 0; p->place && i < m->ntensor; i++)
		p->place[i].out = SIZE_MAX;
	if (pack_metadata(p, e) < 0)
		return -1;
	if (lay_out_all(p, e) < 0)
		return -1;
	if ((p->t.dir || (p->t.cut && p->t.format == &format_safetensors)) &&
	    make_index(p, e) < 0)
		return -1;
	p->padding = malloc((p->nout + 1) * sizeof *p->padding);
	p->footer = malloc((p->nout + 1) * sizeof *p->footer);
	if (!p->padding || !p->footer)
		return err_set(e, "out of memory");
	for (size_t k = 0; k < p->nout; k++) {
		p->padding[k] = UINT64_MAX;
		p->footer[k] = true;
	}
	pack_sizes(p);
	return 0;
}
