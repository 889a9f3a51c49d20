/* SPDX-License-Identifier: MIT */
/* plan.c -- which files an output has, and where each tensor goes in them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "pack.h"

/* Bytes that may be empty between tensors, besides what aligns each. */
#define GAPS	((uint64_t)64 << 20)
#define ALIGN	((uint64_t)65536)

static const struct manifest *sorting;

static int
by_quantize(const void *a, const void *b)
{
	return order_quantize(sorting->tensor[*(const size_t *)a].name,
	    sorting->tensor[*(const size_t *)b].name);
}

/* Did apr-quant choose the types?  Then llama-quantize's order is wanted. */
static bool
quantized(const struct manifest *m)
{
	for (size_t i = 0; i < m->nset; i++)
		if (!strcmp(m->set[i].key, "general.quantization_version"))
			return true;
	return false;
}

struct output *
pack_add_output(struct pack *p, size_t tensors, struct err *e)
{
	struct output *o;

	if (array_room(&p->out, p->nout, sizeof *o, e) < 0)
		return NULL;
	o = &p->out[p->nout];
	memset(o, 0, sizeof *o);
	o->fd = -1;
	if (!(o->which = calloc(tensors + 1, sizeof *o->which))) {
		err_set(e, "out of memory");
		return NULL;
	}
	p->nout++;
	return o;
}

static struct output *
add_output(struct pack *p, const char *name, struct err *e)
{
	bool one = p->t.dir && p->t.format == &format_lattice;	/* a file a tensor */
	struct output *o = pack_add_output(p, one ? 0 : p->m->ntensor, e);

	if (o && name && !(o->name = strdup(name))) {
		err_set(e, "out of memory");
		return NULL;
	}
	return o;
}

/* Do all shards still have what they had, at the old lengths?  Then the old
 * names can stay. */
static bool
shards_unchanged(const struct pack *p)
{
	const struct manifest *m = p->m;
	struct names *names;
	struct err ignored;
	size_t total = 0;
	bool same = true;

	if (p->nsrc == 0 || p->nsrc != m->nshard)
		return false;
	for (size_t k = 0; k < p->nsrc; k++)
		total += p->srcm[k]->ntensor;
	if (total != m->ntensor || !(names = names_new(total, &ignored)))
		return false;
	for (size_t i = 0; same && i < m->ntensor; i++)
		same = names_add(names, m->tensor[i].name, i, NULL, &ignored) > 0;
	for (size_t k = 0; k < p->nsrc; k++)
		for (size_t i = 0; same && i < p->srcm[k]->ntensor; i++) {
			const struct tensor *o = &p->srcm[k]->tensor[i];
			size_t at = names_find(names, o->name);

			same = at != SIZE_MAX && m->tensor[at].shard == k + 1 &&
			    m->tensor[at].bytes == o->bytes;
		}
	names_free(names);
	return same;
}

static int
by_shards(struct pack *p, struct err *e)
{
	for (size_t k = 0; k < p->m->nshard; k++)
		if (!add_output(p, p->m->shard[k], e))
			return -1;
	for (size_t i = 0; i < p->m->ntensor; i++) {
		struct output *o = &p->out[p->m->tensor[i].shard - 1];

		o->which[o->n++] = i;
	}
	return 0;
}

/* Greedy: a shard ends before the tensor that would exceed the size. */
static int
by_size(struct pack *p, uint64_t max, struct err *e)
{
	const struct manifest *m = p->m;
	uint64_t sum = 0;
	size_t parts = 0;
	struct output *o = NULL;

	for (size_t i = 0; i < m->ntensor; i++) {
		uint64_t n = m->tensor[i].bytes;

		if (m->tensor[i].tied_to || pack_captured(p, m->tensor[i].name))
			continue;
		if (!o || (sum > 0 && n > max - (sum < max ? sum : max))) {
			if (!(o = add_output(p, "?", e)))
				return -1;
			parts++;
			sum = 0;
		}
		o->which[o->n++] = i;
		sum += n;
	}
	if (!o && !add_output(p, "?", e))
		return -1;
	for (size_t k = 0; k < p->nout; k++) {
		char name[64];

		if (p->nout == 1)
			snprintf(name, sizeof name, "model.safetensors");
		else
			snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors",
			    k + 1, parts);
		free(p->out[k].name);
		if (!(p->out[k].name = strdup(name)))
			return err_set(e, "out of memory");
	}
	return 0;
}

/* lattice's: a file a tensor. */
static int
by_tensor(struct pack *p, struct err *e)
{
	const struct manifest *m = p->m;
	struct buf name = { 0 };
	int r = 0;

	if (lattice_names(m, e) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];
		struct output *o;

		if (t->tied_to || pack_captured(p, t->name))
			continue;
		name.len = 0;
		lattice_file(t, &name);
		buf_put(&name, "", 1);
		if ((r = buf_check(&name, e)) < 0)
			break;
		if (!(o = add_output(p, (char *)name.p, e)))
			r = -1;
		else
			o->which[o->n++] = i;
	}
	buf_release(&name);
	return r;
}

static int
one_file(struct pack *p, struct err *e)
{
	const struct manifest *m = p->m;
	bool ghosts = p->t.format == &format_apr;
	struct output *o = add_output(p, NULL, e);

	if (!o)
		return -1;
	for (size_t i = 0; i < m->ntensor; i++)
		if (ghosts || !m->tensor[i].tied_to)
			o->which[o->n++] = i;
	if (p->t.format != &format_gguf)
		return 0;
	if (p->t.opts.order == ORDER_QUANTIZE ||
	    (p->t.opts.order != ORDER_CONVERT && quantized(m))) {
		sorting = m;
		qsort(o->which, o->n, sizeof *o->which, by_quantize);
	} else if (p->model && (p->t.opts.order == ORDER_CONVERT || !pack_same_format(p))) {
		return arch_order_convert(p->model, m->tensor, o->which, o->n, e);
	}
	return 0;
}

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

struct pair {
	struct carried	 file;
	struct buf	 held;
};

static int
by_file_name(const void *a, const void *b)
{
	return strcmp(((const struct pair *)a)->file.name,
	    ((const struct pair *)b)->file.name);
}

/* Files come in any order; header k is shard k's all the same. */
static int
sort_files(struct pack *p, struct err *e)
{
	struct pair *v = calloc(p->nfile + 1, sizeof *v);

	if (!v)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < p->nfile; i++)
		v[i] = (struct pair){ p->file[i], p->held[i] };
	qsort(v, p->nfile, sizeof *v, by_file_name);
	for (size_t i = 0; i < p->nfile; i++) {
		p->file[i] = v[i].file;
		p->held[i] = v[i].held;
	}
	free(v);
	return 0;
}

static int
parse_sources(struct pack *p, struct err *e)
{
	size_t n = 0;

	if (sort_files(p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->nfile; i++)
		n += !strncmp(p->file[i].name, ".source/header", 14);
	if (n == 0 || !pack_same_format(p))
		return 0;
	if (!(p->src = calloc(n, sizeof *p->src)) || !(p->srcm = calloc(n, sizeof *p->srcm)))
		return err_set(e, "out of memory");
	for (size_t i = 0, keep = 0; i < p->nfile; i++) {
		if (strncmp(p->file[i].name, ".source/header", 14)) {
			p->file[keep] = p->file[i];
			p->held[keep] = p->held[i];
			if (keep != i)
				memset(&p->held[i], 0, sizeof p->held[i]);
			keep++;
		} else {
			size_t k = p->nsrc;

			if (!(p->srcm[k] = manifest_new(e)))
				return -1;
			p->nsrc++;
			if (header_parse_mem(&p->src[k], p->t.format, &p->held[i],
			    p->srcm[k], 0, e) < 0)
				return err_prefix(e, "%s", p->file[i].name);
			header_sort(p->srcm[k], 0);
			/* It may become the output's: no stream is trusted. */
			if (header_check(p->srcm[k], 0, p->src[k].raw.len, UINT64_MAX, e) < 0)
				return err_prefix(e, "%s", p->file[i].name);
		}
		if (i + 1 == p->nfile) {
			p->nfile = keep;
			break;
		}
	}
	return 0;
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
	bool same = p->t.dir || p->t.split;

	if (parse_sources(p, e) < 0 || pack_remap(p, e) < 0)
		return -1;
	m = p->m;
	same = same && shards_unchanged(p) && p->t.shard_size == 0;
	if (p->t.split && !same)
		return err_set(e, "--split-like-source: the source has no parts, or its"
		    " tensors changed");
	if (p->t.dir && p->t.format == &format_lattice) {
		if (by_tensor(p, e) < 0)
			return -1;
	} else if ((p->t.dir && same) || p->t.split) {
		if (by_shards(p, e) < 0)
			return -1;
		p->keep_index = true;
	} else if (p->t.dir) {
		if (by_size(p, p->t.shard_size ? p->t.shard_size : 5000000000u, e) < 0)
			return -1;
	} else if (one_file(p, e) < 0 || (p->t.cut && pack_cut(p, e) < 0)) {
		return -1;
	}
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
