/* SPDX-License-Identifier: MIT */
/*
 * map.c -- a manifest's tensors in another convention: which of them belong
 * together, what comes out, and how bytes move between.
 */
#include <stdlib.h>
#include <string.h>

#include "map.h"

/* The sources of a group by their places; all must be there. */
static int
collect(struct mapper *y, const struct found *f, size_t want, struct err *e)
{
	const struct tensor *first = &y->m->tensor[f->first];
	char name[TENSOR_NAME + 1];
	struct arch_hit h = f->hit;
	/* Of more than there are tensors, one of so many is missing. */
	size_t look = want > y->m->ntensor ? y->m->ntensor + 1 : want;

	for (size_t i = 0; i < look; i++)
		y->order[i] = MAP_NONE;
	for (size_t i = f->head; i != MAP_NONE; i = y->src[i].next) {
		const struct tensor *t = &y->m->tensor[i];

		if (y->src[i].place >= want)
			return err_set(e, "%s: the metadata say that there are %zu", t->name, want);
		if (y->src[i].place < look)
			y->order[y->src[i].place] = i;
		if (t->type != first->type || t->row_bytes != first->row_bytes)
			return err_set(e, "%s: is %s, and %s, with which it becomes one tensor,"
			    " is %s: apr-cat --as %s joins them before apr-quant", t->name,
			    t->type->name, first->name, first->type->name, map_target(y));
	}
	for (size_t i = 0; i < look; i++)
		if (y->order[i] == MAP_NONE) {
			if (h.expert >= 0)
				h.expert = (long)i;
			else
				h.part = (unsigned)i;
			arch_spell(y->model, y->from, &h, name);
			return err_set(e, "%s: is not there, and %s is", name, first->name);
		}
	return 0;
}

static enum arch_value
value_of(const struct mapper *y, const struct arch_tensor *row)
{
	if (y->to == ARCH_GGUF)
		return row->value;
	if (y->from == ARCH_GGUF)
		return row->value == VALUE_PLUS_1 ? VALUE_MINUS_1 :
		    row->value == VALUE_NEG_EXP ? VALUE_LOG_NEG : VALUE_SAME;
	return VALUE_SAME;
}

static int
build(struct mapper *y, struct found *f, struct err *e)
{
	struct arch_map *map = y->map;
	size_t g = map->ngroup++;
	struct arch_group *group = &map->group[g];
	const struct tensor *src = &y->m->tensor[f->first];
	const char *in = f->hit.row ? arch_pattern(f->hit.row, y->from) : NULL;
	const char *out = f->hit.row ? arch_pattern(f->hit.row, y->to) : NULL;
	struct arch_hit h = f->hit;
	size_t want;
	int r;

	*group = (struct arch_group){ .from = src->type, .to = src->type };
	map->in[f->first] = (struct arch_part){ (uint32_t)g, 0 };
	if (f->alone) {
		struct tensor *t = map_add(y, g, 0, src, e);

		if (!t)
			return -1;
		t->tied_to = src->tied_to;
		t->extra = src->extra;
		group->sh = (struct shuffle){ .total = t->bytes, .batch = 1, .a = 1, .b = 1 };
		return out ? map_name(y, t, &h, e) : 0;
	}
	group->value = value_of(y, f->hit.row);
	if (f->hit.expert >= 0 || arch_parts_of(in) > 1) {
		want = f->hit.expert < 0 ? arch_parts_of(in) :
		    y->model->experts ? (size_t)y->model->experts : f->n;
		if (collect(y, f, want, e) < 0)
			return -1;
		r = f->hit.expert >= 0 ? map_stack(y, g, f, e) : map_join(y, g, f, e);
	} else if (strchr(out, '@')) {
		r = map_unstack(y, g, src, &h, e);
	} else if (strchr(out, '|')) {
		r = map_take_apart(y, g, src, &h, e);
	} else {
		r = map_one(y, g, src, &h, y->from == ARCH_GGUF || y->to == ARCH_GGUF ?
		    h.row->op : h.row->apr_op, e);
	}
	if (r < 0)
		return -1;
	if (group->value != VALUE_SAME && (!map_is_plain(src) || group->to->block != 1))
		return map_packed(y, src, e);
	for (size_t i = map->nout; group->value != VALUE_SAME && i-- > 0 &&
	    map->of[i].group == g; )
		map->out[i].absmax = NULL;
	return 0;
}

static bool
is_scale(const char *name)
{
	static const char tail[] = ".weight_scale_inv";
	size_t n = strlen(name), k = sizeof tail - 1;

	return n > k && !strcmp(name + n - k, tail);
}

/* Which group a source belongs to: tensors that are one in GGUF share it. */
static int
place(struct mapper *y, size_t i, struct err *e)
{
	const struct tensor *t = &y->m->tensor[i];
	struct arch_map *map = y->map;
	char name[TENSOR_NAME + 1];
	struct arch_hit h, key;
	const char *in, *out, *kept;
	struct found *f;
	size_t old = y->nf;
	int r;

	map->in[i].group = ARCH_LEFT_OUT;
	if (t->tied_to && y->to != ARCH_APR)
		return 0;
	if (!arch_match(y->model, y->from, t->name, &h)) {
		if ((y->to == ARCH_GGUF || y->from == ARCH_GGUF) &&
		    !arch_passed_over(y->model, t->name) && is_scale(t->name))
			return err_set(e, "%s: 8-bit floats do not change rows and names with"
			    " their scales: apr-quant or apr-dequant comes first, without --as",
			    t->name);
		if ((y->to == ARCH_GGUF || y->from == ARCH_GGUF) &&
		    !arch_passed_over(y->model, t->name))
			return err_set(e, "%s: is no tensor of %s, as far as is known", t->name,
			    y->model->arch->name);
		if (y->to == ARCH_GGUF) {
			map->left++;
			map->left_name = t->name;
			return 0;
		}
		h = (struct arch_hit){ .layer = -1, .expert = -1 };
	}
	in = h.row ? arch_pattern(h.row, y->from) : NULL;
	out = h.row ? arch_pattern(h.row, y->to) : NULL;
	if (h.row && !out)
		return 0;	/* GGUF has no such tensor, by design */
	f = &y->f[old];
	if (!h.row || in == out || t->tied_to) {
		*f = (struct found){ h, 1, i, true, i };
		y->src[i].next = MAP_NONE;
		y->nf++;
		return 0;
	}
	key = h;
	key.part = 0;
	if (h.expert >= 0)
		key.expert = 0;
	arch_spell(y->model, y->from, &key, name);
	if (!(kept = arena_strn(&map->arena, name, strlen(name))))
		return err_set(e, "out of memory");
	if ((r = names_add(y->names, kept, old, &old, e)) < 0)
		return -1;
	f = &y->f[old];
	if (r > 0) {
		*f = (struct found){ h, 0, i, false, MAP_NONE };
		y->nf++;
	} else if (h.expert < 0 && arch_parts_of(in) == 1) {
		return err_set(e, "%s: is %s once more", t->name, y->m->tensor[f->first].name);
	}
	y->src[i].place = h.expert >= 0 ? (size_t)h.expert : h.part;
	y->src[i].next = f->head;
	f->head = i;
	f->n++;
	return 0;
}

/* A tensor that no source has, in front of all. */
static int
make(struct mapper *y, const char *name, float *v, size_t n, struct err *e)
{
	struct tensor like = { .name = name, .ndim = 1, .dim = { n } }, *t;
	unsigned char *data;
	size_t g = y->map->ngroup;

	if (n == 0)
		return 0;
	for (size_t i = 0; i < y->m->ntensor; i++)
		if (!strcmp(y->m->tensor[i].name, name))
			return 0;
	if (!(data = arena_alloc(&y->map->arena, n * 4)))
		return err_set(e, "out of memory");
	type_f32.from_f32(data, v, n, NULL);
	like.shard = y->m->nshard ? 1 : 0;
	if (tensor_set(&like, &type_f32, TENSOR_ROWS, e) < 0 || !(t = map_add(y, g, 0, &like, e)))
		return -1;
	y->map->group[g] = (struct arch_group){ .from = &type_f32, .to = &type_f32,
	    .sh = { .total = t->bytes, .batch = 1, .a = 1, .b = 1 }, .data = data };
	y->map->ngroup++;
	return 0;
}

static int
made(struct mapper *y, struct err *e)
{
	struct arena *a = &y->map->arena;
	float *v = NULL;
	size_t n;

	if (y->to != ARCH_GGUF || y->from == ARCH_GGUF)
		return 0;
	if (arch_rope_freqs(y->model, a, &v, &n, e) < 0 ||
	    make(y, "rope_freqs.weight", v, n, e) < 0 ||
	    arch_rope_factors(y->model, true, a, &v, &n, e) < 0 ||
	    make(y, "rope_factors_long.weight", v, n, e) < 0 ||
	    arch_rope_factors(y->model, false, a, &v, &n, e) < 0)
		return -1;
	return make(y, "rope_factors_short.weight", v, n, e);
}

static int
map_all(struct mapper *y, struct err *e)
{
	size_t n = y->m->ntensor;

	if (!(y->names = names_new(n, e)))
		return -1;
	if (!(y->map->in = calloc(n + 1, sizeof *y->map->in)) ||
	    !(y->f = calloc(n + 1, sizeof *y->f)) ||
	    !(y->src = calloc(n + 1, sizeof *y->src)) ||
	    !(y->order = calloc(n + 4, sizeof *y->order)) ||
	    !(y->map->group = calloc(n + 4, sizeof *y->map->group)))
		return err_set(e, "out of memory");
	y->map->nin = n;
	for (size_t i = 0; i < n; i++)
		if (place(y, i, e) < 0)
			return -1;
	if (made(y, e) < 0)
		return -1;
	for (size_t i = 0; i < y->nf; i++)
		if (build(y, &y->f[i], e) < 0)
			return -1;
	return 0;
}

struct arch_map *
arch_map_new(const struct arch_model *model, const struct manifest *m, enum arch_conv from,
    enum arch_conv to, struct err *e)
{
	struct mapper y = { .model = model, .m = m, .from = from, .to = to };
	int r;

	if (!(y.map = calloc(1, sizeof *y.map))) {
		err_set(e, "out of memory");
		return NULL;
	}
	r = map_all(&y, e);
	names_free(y.names);
	free(y.f);
	free(y.src);
	free(y.order);
	if (r < 0) {
		arch_map_free(y.map);
		return NULL;
	}
	return y.map;
}

void
arch_map_free(struct arch_map *map)
{
	if (!map)
		return;
	arena_release(&map->arena);
	free(map->out);
	free(map->of);
	free(map->in);
	free(map->group);
	free(map);
}
