/* SPDX-License-Identifier: MIT */
/* plan_files.c -- which files an output has, and which tensors are in each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"

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

/* (What apr-quant chose the types of is ordered as by llama-quantize.) */
bool
pack_by_quantize(const struct pack *p)
{
	bool by = p->t.opts.order == ORDER_QUANTIZE;

	for (size_t i = 0; i < p->m->nset && p->t.opts.order != ORDER_CONVERT; i++)
		by |= !strcmp(p->m->set[i].key, "general.quantization_version");
	return by;
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
	if (pack_by_quantize(p))
		order_sort_quantize(m->tensor, o->which, o->n);
	else if (p->model && (p->t.opts.order == ORDER_CONVERT || !pack_same_format(p)))
		return arch_order_convert(p->model, m->tensor, o->which, o->n, e);
	return 0;
}

int
pack_divide(struct pack *p, struct err *e)
{
	bool same = (p->t.dir || p->t.split) && shards_unchanged(p) && p->t.shard_size == 0;

	if (p->t.split && !same)
		return err_set(e, "--split-like-source: the source has no parts, or its"
		    " tensors changed");
	if (p->t.dir && p->t.format == &format_lattice)
		return by_tensor(p, e);
	if (same) {
		p->keep_index = true;
		return by_shards(p, e);
	}
	if (p->t.dir)
		return by_size(p, p->t.shard_size ? p->t.shard_size : 5000000000u, e);
	return one_file(p, e) < 0 || (p->t.cut && pack_cut(p, e) < 0) ? -1 : 0;
}
