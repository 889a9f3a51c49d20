/* SPDX-License-Identifier: MIT */
/* map_out.c -- tensors in another convention, as they come out. */
#include <stdlib.h>
#include <string.h>

#include "map.h"

struct tensor *
map_add(struct mapper *y, size_t group, uint64_t at, const struct tensor *like, struct err *e)
{
	struct arch_map *map = y->map;
	size_t cap = y->cap ? y->cap + y->cap / 2 : 64;
	struct tensor *t;

	if (map->nout == y->cap) {
		void *a = realloc(map->out, cap * sizeof *map->out), *b;

		if (a)
			map->out = a;
		b = a ? realloc(map->of, cap * sizeof *map->of) : NULL;
		if (!b) {
			err_set(e, "out of memory");
			return NULL;
		}
		map->of = b;
		y->cap = cap;
	}
	map->of[map->nout] = (struct arch_part){ (uint32_t)group, at };
	t = &map->out[map->nout];
	*t = *like;
	t->extra = NULL;
	t->tied_to = NULL;
	t->offset = map->nout;
	map->nout++;
	return t;
}

int
map_name(struct mapper *y, struct tensor *t, const struct arch_hit *h, struct err *e)
{
	char name[TENSOR_NAME + 1];

	arch_spell(y->model, y->to, h, name);
	if (!strcmp(name, t->name))
		return 0;
	t->name = arena_strn(&y->map->arena, name, strlen(name));
	return t->name ? 0 : err_set(e, "out of memory");
}

/* Type and shape are there: bytes, and where the type was changed, that. */
int
map_set(struct tensor *t, const struct type *type, const struct tensor *src, struct err *e)
{
	const struct type *was = src->source ? src->source : src->type;

	t->source = type == was ? NULL : type == src->type ? src->source : was;
	if (type == src->type && src->flat)
		return tensor_set(t, type, TENSOR_FLAT, e);
	return tensor_set(t, type, src->row_bytes ? TENSOR_PADDED : TENSOR_ROWS, e);
}

/* The largest of several maxima, if all are known. */
const char *
map_absmax(const struct mapper *y, const struct found *f)
{
	const char *max = NULL;

	for (size_t i = f->head; i != MAP_NONE; i = y->src[i].next) {
		const char *s = y->m->tensor[i].absmax;

		if (!s)
			return NULL;
		if (!max || strtod(s, NULL) > strtod(max, NULL))
			max = s;
	}
	return max;
}

const struct type *
map_type(const struct mapper *y, const struct tensor *t, const struct arch_hit *h,
    unsigned ndim, struct err *e)
{
	char gguf[TENSOR_NAME + 1];
	struct arch_hit stack = *h;

	if (y->to != ARCH_GGUF)
		return t->type;
	stack.part = 0;
	arch_spell(y->model, ARCH_GGUF, &stack, gguf);
	if (!arch_keeps_f32(gguf, ndim) || t->type == &type_f32)
		return t->type;
	if (!map_is_plain(t)) {
		err_set(e, "%s: GGUF has it in F32, not %s: apr-dequant it first, or leave"
		    " it out of apr-quant's types", t->name, t->type->name);
		return NULL;
	}
	return &type_f32;
}

/* The squeezed middle of a depthwise convolution's shape. */
static void
squeeze(struct tensor *t)
{
	if (t->ndim == 3 && t->dim[1] == 1) {
		t->dim[1] = t->dim[2];
		t->ndim = 2;
	}
}

static void
unsqueeze(struct tensor *t)
{
	if (t->ndim == 2) {
		t->dim[2] = t->dim[1];
		t->dim[1] = 1;
		t->ndim = 3;
	}
}

/* One tensor to one: a shape, a type, a shuffle. */
int
map_one(struct mapper *y, size_t g, const struct tensor *src, const struct arch_hit *h,
    enum arch_op op, struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	bool into = y->to == ARCH_GGUF;
	struct tensor *t = map_add(y, g, 0, src, e), like;
	uint64_t vocab = y->model->vocab;

	if (!t || map_name(y, t, h, e) < 0)
		return -1;
	if (op == OP_TRANSPOSE)
		map_swap(t);
	if (op == OP_V_CONV)
		into ? squeeze(t) : unsqueeze(t);
	if (op == OP_CUT && into && t->ndim == 2 && vocab > 0 && t->dim[0] > vocab)
		t->dim[0] = vocab;
	if (!(group->to = map_type(y, src, h, t->ndim, e)) || map_set(t, group->to, src, e) < 0)
		return -1;
	if (t->dim[0] != src->dim[0] && op == OP_CUT && (t->flat || (t->type->flags & TYPE_WHOLE)))
		return map_packed(y, src, e);
	/* Layouts are computed for the side that is Hugging Face's. */
	like = *t;
	like.name = src->name;
	if (op == OP_TRANSPOSE && into)
		map_swap(&like);
	if (map_shuffle(y, op, &like, 1, &group->sh, e) < 0)
		return -1;
	if (!into)
		group->sh = shuffle_inverse(group->sh);
	return 0;
}
