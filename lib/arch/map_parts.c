/* SPDX-License-Identifier: MIT */
/* map_parts.c -- tensors that are one in one convention, several in another. */
#include <inttypes.h>
#include <string.h>

#include <apr/size.h>

#include "map.h"

/* Experts, each a tensor, into a stack. */
int
map_stack(struct mapper *y, size_t g, const struct found *f, struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	const struct tensor *src = &y->m->tensor[f->first];
	struct tensor *t = map_add(y, g, 0, src, e);
	uint64_t at = 0;

	if (!t || map_name(y, t, &f->hit, e) < 0)
		return -1;
	if (src->flat || (src->type->flags & TYPE_WHOLE) || src->ndim + 1 > TENSOR_DIMS)
		return map_packed(y, src, e);
	memmove(t->dim + 1, t->dim, src->ndim * sizeof *t->dim);
	t->dim[0] = f->n;
	t->ndim++;
	t->absmax = map_absmax(y, f);
	if (!(group->to = map_type(y, src, &f->hit, t->ndim, e)) ||
	    map_set(t, group->to, src, e) < 0)
		return -1;
	group->sh = (struct shuffle){ .total = t->bytes, .batch = 1, .a = 1, .b = 1 };
	for (size_t i = 0; i < f->n; i++) {
		const struct tensor *s = &y->m->tensor[y->order[i]];

		if (!tensor_same_shape(s, src))
			return err_set(e, "%s: has another shape than %s", s->name, src->name);
		if (s->shard > t->shard)
			t->shard = s->shard;
		y->map->in[y->order[i]] = (struct arch_part){ (uint32_t)g, at };
		at += t->bytes / f->n;
	}
	return 0;
}

/* And back. */
int
map_unstack(struct mapper *y, size_t g, const struct tensor *src, struct arch_hit *h,
    struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	uint64_t n = src->ndim > 1 ? src->dim[0] : 0, at = 0;

	if (src->ndim < 2 || src->flat || (src->type->flags & TYPE_WHOLE))
		return map_packed(y, src, e);
	if (n > 1u << 16 || (y->model->experts && n != y->model->experts))
		return err_set(e, "%s: %" PRIu64 " experts, the metadata say %" PRIu64,
		    src->name, n, y->model->experts);
	group->to = src->type;
	group->sh = (struct shuffle){ .total = src->bytes, .batch = 1, .a = 1, .b = 1 };
	for (uint64_t i = 0; i < n; i++) {
		struct tensor *t = map_add(y, g, at, src, e);

		h->expert = (long)i;
		if (!t || map_name(y, t, h, e) < 0)
			return -1;
		t->ndim--;
		memmove(t->dim, t->dim + 1, t->ndim * sizeof *t->dim);
		if (map_set(t, src->type, src, e) < 0)
			return -1;
		at += t->bytes;
	}
	return 0;
}

/* GGUF's one tensor, or Hugging Face's, is several in .apr. */
int
map_take_apart(struct mapper *y, size_t g, const struct tensor *src, struct arch_hit *h,
    struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	unsigned n = arch_parts_of(arch_pattern(h->row, y->to));
	struct tensor like = *src;
	uint64_t rows[3] = { 0 }, at = 0;
	bool turned = h->row->op == OP_TRANSPOSE && src->ndim == 2;

	/* From here on as GGUF has it. */
	if (y->from == ARCH_HF && turned)
		map_swap(&like);
	group->to = src->type;
	if (h->row->op == OP_PAIRS) {
		rows[0] = rows[1] = src->dim[0];
		if (map_shuffle(y, OP_PAIRS, src, 1, &group->sh, e) < 0 ||
		    !(group->to = map_type(y, src, h, src->ndim, e)))
			return -1;
	} else if (map_part_rows(y, h->row, &like, rows, e) < 0) {
		return -1;
	} else {
		group->sh = (struct shuffle){ .total = src->bytes, .batch = 1, .a = 1, .b = 1 };
		if ((src->flat || (src->type->flags & TYPE_WHOLE)) ||
		    (src->ndim == 1 && src->type->block > 1))
			return map_packed(y, src, e);
	}
	for (unsigned i = 0; i < n; i++) {
		struct tensor *t = map_add(y, g, at, src, e);

		h->part = i;
		if (!t || map_name(y, t, h, e) < 0)
			return -1;
		if (turned) {
			t->dim[0] = like.dim[1];
			t->dim[1] = rows[i];
		} else if (h->row->op == OP_PAIRS) {
			t->dim[1] /= 2;
		} else {
			t->dim[0] = rows[i];
		}
		if (turned && rows[i] % src->type->block != 0)
			return map_packed(y, src, e);
		if (map_set(t, group->to, src, e) < 0)
			return -1;
		at += t->bytes;
	}
	if (turned && (rows[0] != rows[1] || n != 3 || rows[1] != rows[2]))
		return err_set(e, "%s: its parts differ in length", src->name);
	if (turned && y->from == ARCH_HF)	/* columns */
		group->sh = (struct shuffle){ src->bytes, 0, 1, src->dim[0], n,
		    src->dim[0] ? src->bytes / src->dim[0] / n : 0 };
	else if (turned) {
		if (src->type->block != 1)
			return map_packed(y, src, e);
		group->sh = (struct shuffle){ src->bytes, 0, n, rows[0], like.dim[1],
		    src->type->bytes };
	}
	return 0;
}

/* And together again. */
int
map_join(struct mapper *y, size_t g, const struct found *f, struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	const struct tensor *src = &y->m->tensor[y->order[0]];
	struct tensor *t = map_add(y, g, 0, src, e);
	struct arch_hit h = f->hit;
	bool turned = h.row->op == OP_TRANSPOSE && src->ndim == 2;
	uint64_t at = 0, rows = 0;

	h.part = 0;
	if (!t || map_name(y, t, &h, e) < 0)
		return -1;
	if (src->flat || (src->type->flags & TYPE_WHOLE) || src->ndim == 0 ||
	    (turned && y->to == ARCH_GGUF && src->type->block != 1) ||
	    (turned && src->row_bytes) || (src->ndim == 1 && src->type->block != 1))
		return map_packed(y, src, e);
	t->absmax = map_absmax(y, f);
	for (size_t i = 0; i < f->n; i++) {
		const struct tensor *s = &y->m->tensor[y->order[i]];

		if (s->ndim != src->ndim || (turned ? !tensor_same_shape(s, src) :
		    s->ndim == 2 && s->dim[1] != src->dim[1]))
			return err_set(e, "%s: its shape does not go with that of %s", s->name,
			    src->name);
		if (u64_add(&rows, rows, turned ? s->dim[1] : s->dim[0]))
			return err_set(e, "%s: overflows", s->name);
		if (s->shard > t->shard)
			t->shard = s->shard;
	}
	t->dim[0] = rows;
	if (turned) {
		t->dim[1] = src->dim[0];
		if (y->to == ARCH_HF)
			map_swap(t);
	}
	if (!(group->to = map_type(y, src, &h, t->ndim, e)) || map_set(t, group->to, src, e) < 0)
		return -1;
	group->sh = (struct shuffle){ .total = t->bytes, .batch = 1, .a = 1, .b = 1 };
	if (turned && y->to == ARCH_GGUF)
		group->sh = (struct shuffle){ t->bytes, 0, f->n, src->dim[0], src->dim[1],
		    src->type->bytes };
	else if (turned)
		group->sh = (struct shuffle){ t->bytes, 0, 1, f->n, src->dim[0],
		    src->dim[0] ? src->bytes / src->dim[0] : 0 };
	for (size_t i = 0; i < f->n; i++) {
		const struct tensor *s = &y->m->tensor[y->order[i]];

		y->map->in[y->order[i]] = (struct arch_part){ (uint32_t)g, at };
		at += s->bytes / s->type->bytes * s->type->block / group->to->block *
		    group->to->bytes;
	}
	return 0;
}
