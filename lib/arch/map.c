/* SPDX-License-Identifier: MIT */
/*
 * map.c -- a manifest's tensors in another convention: which of them belong
 * together, what comes out, and how bytes move between.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "arch.h"

/* Groups while they are being found. */
struct found {
	struct arch_hit	 hit;		/* of its first tensor */
	size_t		 n, first;	/* sources; the one that came first */
	bool		 alone;		/* one to one, nothing moves */
	/* Its sources' places in the run of all: chained through next. */
	size_t		 head;
};

struct mapper {
	const struct arch_model	*model;
	const struct manifest	*m;
	enum arch_conv		 from, to;
	struct arch_map		*map;
	struct found		*f;	size_t nf;
	struct { size_t next, place; } *src;	/* one a source */
	size_t			*order;	/* sources of one group, by place */
	size_t			 cap;	/* of map->out */
	struct names		*names;
};

#define NONE	SIZE_MAX

static const char *
as(const struct mapper *y)
{
	return y->to == ARCH_GGUF ? "gguf" : y->to == ARCH_APR ? "apr" : "hf";
}

/* What a packed type does not survive is done before packing. */
static int
packed(const struct mapper *y, const struct tensor *t, struct err *e)
{
	return err_set(e, "%s: its layout as %s cannot be had from packed %s: apr-cat --as %s"
	    " changes it before apr-quant, or apr-dequant first", t->name, as(y),
	    t->type->name, as(y));
}

static bool
is_plain(const struct tensor *t)
{
	return t->type->block == 1 && !(t->type->flags & (TYPE_WHOLE | TYPE_FLAT | TYPE_INTEGER)) &&
	    t->type->to_f32 && t->type->from_f32;
}

static struct tensor *
add_out(struct mapper *y, size_t group, uint64_t at, const struct tensor *like, struct err *e)
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

static int
name_out(struct mapper *y, struct tensor *t, const struct arch_hit *h, struct err *e)
{
	char name[TENSOR_NAME + 1];

	arch_spell(y->model, y->to, h, name);
	if (!strcmp(name, t->name))
		return 0;
	t->name = arena_strn(&y->map->arena, name, strlen(name));
	return t->name ? 0 : err_set(e, "out of memory");
}

/* Type and shape are there: bytes, and where the type was changed, that. */
static int
set_out(struct tensor *t, const struct type *type, const struct tensor *src, struct err *e)
{
	const struct type *was = src->source ? src->source : src->type;

	t->source = type == was ? NULL : type == src->type ? src->source : was;
	if (type == src->type && src->flat)
		return tensor_set(t, type, TENSOR_FLAT, e);
	return tensor_set(t, type, src->row_bytes ? TENSOR_PADDED : TENSOR_ROWS, e);
}

/* The largest of several maxima, if all are known. */
static const char *
absmax(const struct mapper *y, const struct found *f)
{
	const char *max = NULL;

	for (size_t i = f->head; i != NONE; i = y->src[i].next) {
		const char *s = y->m->tensor[i].absmax;

		if (!s)
			return NULL;
		if (!max || strtod(s, NULL) > strtod(max, NULL))
			max = s;
	}
	return max;
}

static const struct type *
type_of(const struct mapper *y, const struct tensor *t, const struct arch_hit *h,
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
	if (!is_plain(t)) {
		err_set(e, "%s: GGUF has it in F32, not %s: apr-dequant it first, or leave"
		    " it out of apr-quant's types", t->name, t->type->name);
		return NULL;
	}
	return &type_f32;
}

/* Rows and their bytes; what has no rows of its own is none. */
static int
rows_of(const struct mapper *y, const struct tensor *t, uint64_t *rows, uint64_t *bytes,
    struct err *e)
{
	if (t->flat || (t->type->flags & TYPE_WHOLE) || t->ndim == 0)
		return packed(y, t, e);
	*rows = t->dim[0];
	if (t->ndim == 1 && t->type->block != 1)
		return packed(y, t, e);
	*bytes = *rows ? t->bytes / *rows : 0;
	return 0;
}

static int
misfit(const struct tensor *t, const char *what, uint64_t rows, uint64_t by, struct err *e)
{
	return err_set(e, "%s: %" PRIu64 " %s, which its metadata's %" PRIu64
	    " do not divide", t->name, rows, what, by);
}

/*
 * The shuffle from Hugging Face's layout (or, with n parts, .apr's) to
 * GGUF's, for a tensor of Hugging Face's shape.  Its type is the target's.
 */
static int
to_gguf(const struct mapper *y, enum arch_op op, const struct tensor *t, unsigned parts,
    struct shuffle *s, struct err *e)
{
	const struct arch_model *m = y->model;
	uint64_t rows = 0, row = 0, by, k = 2 * m->k_dim * m->k_heads, r;

	*s = (struct shuffle){ .total = t->bytes * parts, .batch = 1, .a = 1, .b = 1 };
	if (op == OP_COPY || op == OP_CUT || (op == OP_TRANSPOSE && t->ndim == 1))
		return 0;
	if (rows_of(y, t, &rows, &row, e) < 0)
		return -1;
	switch (op) {
	case OP_Q:
	case OP_K:
		by = op == OP_Q ? m->heads : m->kv_heads;
		if (by == 0 || rows % (2 * by) != 0)
			return misfit(t, "rows", rows, 2 * by, e);
		*s = (struct shuffle){ t->bytes, 0, by, 2, rows / by / 2, row };
		return 0;
	case OP_TRANSPOSE:
		if (t->type->block != 1 || t->ndim != 2)
			return packed(y, t, e);
		*s = (struct shuffle){ t->bytes * parts, 0, parts, rows, t->dim[1],
		    t->type->bytes };
		return 0;
	case OP_PAIRS:
		if (t->ndim != 3 || t->dim[1] % 2 != 0)
			return err_set(e, "%s: is no stack of gates and ups", t->name);
		*s = (struct shuffle){ t->bytes, 0, 1, rows, 2, row / 2 };
		return 0;
	default:
		break;
	}
	/* Value heads: [key heads][r] to [r][key heads]. */
	if (m->k_heads == 0 || m->v_heads % m->k_heads != 0 || m->v_dim == 0)
		return err_set(e, "%s: %" PRIu64 " value heads of %" PRIu64 " for %" PRIu64
		    " key heads", t->name, m->v_heads, m->v_dim, m->k_heads);
	r = m->v_heads / m->k_heads;
	if (op == OP_V_QKV || op == OP_V_CONV) {
		if (rows != k + m->v_heads * m->v_dim)
			return misfit(t, "rows", rows, k + m->v_heads * m->v_dim, e);
		*s = (struct shuffle){ t->bytes, k * row, 1, m->k_heads, r, m->v_dim * row };
	} else if (op == OP_V_HEADS || op == OP_V_ONES) {
		by = op == OP_V_HEADS ? m->v_dim : 1;
		if (rows != m->v_heads * by)
			return misfit(t, "rows", rows, m->v_heads * by, e);
		*s = (struct shuffle){ t->bytes, 0, 1, m->k_heads, r, by * row };
	} else {
		if (t->ndim != 2 || t->dim[1] != m->v_heads * m->v_dim)
			return misfit(t, "columns", t->ndim == 2 ? t->dim[1] : 0,
			    m->v_heads * m->v_dim, e);
		if (m->v_dim % t->type->block != 0 && r > 1)
			return packed(y, t, e);
		*s = (struct shuffle){ t->bytes, 0, rows, m->k_heads, r,
		    row / m->v_heads };
	}
	return 0;
}

/* Lengths of the parts of GGUF's rows, in .apr. */
static int
part_rows(const struct mapper *y, const struct arch_tensor *row, const struct tensor *t,
    uint64_t rows[3], struct err *e)
{
	const struct arch_model *m = y->model;
	uint64_t q = m->heads * m->head_dim, k = m->kv_heads * m->head_dim;

	if (row->parts == PARTS_HALVES) {
		rows[0] = rows[1] = t->dim[0] / 2;
		return t->dim[0] % 2 ? misfit(t, "rows", t->dim[0], 2, e) : 0;
	}
	rows[0] = q;
	rows[1] = rows[2] = k;
	if (t->ndim == 0 || q + 2 * k != t->dim[0])
		return misfit(t, "rows", t->ndim ? t->dim[0] : 0, q + 2 * k, e);
	return 0;
}

/* Shapes the other way round. */
static void
swap(struct tensor *t)
{
	uint64_t d = t->dim[0];

	if (t->ndim != 2)
		return;
	t->dim[0] = t->dim[1];
	t->dim[1] = d;
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
static int
one_to_one(struct mapper *y, size_t g, const struct tensor *src, const struct arch_hit *h,
    enum arch_op op, struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	bool into = y->to == ARCH_GGUF;
	struct tensor *t = add_out(y, g, 0, src, e), like;
	uint64_t vocab = y->model->vocab;

	if (!t || name_out(y, t, h, e) < 0)
		return -1;
	if (op == OP_TRANSPOSE)
		swap(t);
	if (op == OP_V_CONV)
		into ? squeeze(t) : unsqueeze(t);
	if (op == OP_CUT && into && t->ndim == 2 && vocab > 0 && t->dim[0] > vocab)
		t->dim[0] = vocab;
	if (!(group->to = type_of(y, src, h, t->ndim, e)) || set_out(t, group->to, src, e) < 0)
		return -1;
	if (t->dim[0] != src->dim[0] && op == OP_CUT && (t->flat || (t->type->flags & TYPE_WHOLE)))
		return packed(y, src, e);
	/* Layouts are computed for the side that is Hugging Face's. */
	like = *t;
	like.name = src->name;
	if (op == OP_TRANSPOSE && into)
		swap(&like);
	if (to_gguf(y, op, &like, 1, &group->sh, e) < 0)
		return -1;
	if (!into)
		group->sh = shuffle_inverse(group->sh);
	return 0;
}

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
		y->order[i] = NONE;
	for (size_t i = f->head; i != NONE; i = y->src[i].next) {
		const struct tensor *t = &y->m->tensor[i];

		if (y->src[i].place >= want)
			return err_set(e, "%s: the metadata say that there are %zu", t->name, want);
		if (y->src[i].place < look)
			y->order[y->src[i].place] = i;
		if (t->type != first->type || t->row_bytes != first->row_bytes)
			return err_set(e, "%s: is %s, and %s, with which it becomes one tensor,"
			    " is %s: apr-cat --as %s joins them before apr-quant", t->name,
			    t->type->name, first->name, first->type->name, as(y));
	}
	for (size_t i = 0; i < look; i++)
		if (y->order[i] == NONE) {
			if (h.expert >= 0)
				h.expert = (long)i;
			else
				h.part = (unsigned)i;
			arch_spell(y->model, y->from, &h, name);
			return err_set(e, "%s: is not there, and %s is", name, first->name);
		}
	return 0;
}

/* Experts, each a tensor, into a stack. */
static int
stack(struct mapper *y, size_t g, const struct found *f, struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	const struct tensor *src = &y->m->tensor[f->first];
	struct tensor *t = add_out(y, g, 0, src, e);
	uint64_t at = 0;

	if (!t || name_out(y, t, &f->hit, e) < 0)
		return -1;
	if (src->flat || (src->type->flags & TYPE_WHOLE) || src->ndim + 1 > TENSOR_DIMS)
		return packed(y, src, e);
	memmove(t->dim + 1, t->dim, src->ndim * sizeof *t->dim);
	t->dim[0] = f->n;
	t->ndim++;
	t->absmax = absmax(y, f);
	if (!(group->to = type_of(y, src, &f->hit, t->ndim, e)) ||
	    set_out(t, group->to, src, e) < 0)
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
static int
unstack(struct mapper *y, size_t g, const struct tensor *src, struct arch_hit *h,
    struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	uint64_t n = src->ndim > 1 ? src->dim[0] : 0, at = 0;

	if (src->ndim < 2 || src->flat || (src->type->flags & TYPE_WHOLE))
		return packed(y, src, e);
	if (n > 1u << 16 || (y->model->experts && n != y->model->experts))
		return err_set(e, "%s: %" PRIu64 " experts, the metadata say %" PRIu64,
		    src->name, n, y->model->experts);
	group->to = src->type;
	group->sh = (struct shuffle){ .total = src->bytes, .batch = 1, .a = 1, .b = 1 };
	for (uint64_t i = 0; i < n; i++) {
		struct tensor *t = add_out(y, g, at, src, e);

		h->expert = (long)i;
		if (!t || name_out(y, t, h, e) < 0)
			return -1;
		t->ndim--;
		memmove(t->dim, t->dim + 1, t->ndim * sizeof *t->dim);
		if (set_out(t, src->type, src, e) < 0)
			return -1;
		at += t->bytes;
	}
	return 0;
}

/* GGUF's one tensor, or Hugging Face's, is several in .apr. */
static int
take_apart(struct mapper *y, size_t g, const struct tensor *src, struct arch_hit *h,
    struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	unsigned n = arch_parts_of(arch_pattern(h->row, y->to));
	struct tensor like = *src;
	uint64_t rows[3] = { 0 }, at = 0;
	bool turned = h->row->op == OP_TRANSPOSE && src->ndim == 2;

	/* From here on as GGUF has it. */
	if (y->from == ARCH_HF && turned)
		swap(&like);
	group->to = src->type;
	if (h->row->op == OP_PAIRS) {
		rows[0] = rows[1] = src->dim[0];
		if (to_gguf(y, OP_PAIRS, src, 1, &group->sh, e) < 0 ||
		    !(group->to = type_of(y, src, h, src->ndim, e)))
			return -1;
	} else if (part_rows(y, h->row, &like, rows, e) < 0) {
		return -1;
	} else {
		group->sh = (struct shuffle){ .total = src->bytes, .batch = 1, .a = 1, .b = 1 };
		if ((src->flat || (src->type->flags & TYPE_WHOLE)) ||
		    (src->ndim == 1 && src->type->block > 1))
			return packed(y, src, e);
	}
	for (unsigned i = 0; i < n; i++) {
		struct tensor *t = add_out(y, g, at, src, e);

		h->part = i;
		if (!t || name_out(y, t, h, e) < 0)
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
			return packed(y, src, e);
		if (set_out(t, group->to, src, e) < 0)
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
			return packed(y, src, e);
		group->sh = (struct shuffle){ src->bytes, 0, n, rows[0], like.dim[1],
		    src->type->bytes };
	}
	return 0;
}

/* And together again. */
static int
join(struct mapper *y, size_t g, const struct found *f, struct err *e)
{
	struct arch_group *group = &y->map->group[g];
	const struct tensor *src = &y->m->tensor[y->order[0]];
	struct tensor *t = add_out(y, g, 0, src, e);
	struct arch_hit h = f->hit;
	bool turned = h.row->op == OP_TRANSPOSE && src->ndim == 2;
	uint64_t at = 0, rows = 0;

	h.part = 0;
	if (!t || name_out(y, t, &h, e) < 0)
		return -1;
	if (src->flat || (src->type->flags & TYPE_WHOLE) || src->ndim == 0 ||
	    (turned && y->to == ARCH_GGUF && src->type->block != 1) ||
	    (turned && src->row_bytes) || (src->ndim == 1 && src->type->block != 1))
		return packed(y, src, e);
	t->absmax = absmax(y, f);
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
			swap(t);
	}
	if (!(group->to = type_of(y, src, &h, t->ndim, e)) || set_out(t, group->to, src, e) < 0)
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
		struct tensor *t = add_out(y, g, 0, src, e);

		if (!t)
			return -1;
		t->tied_to = src->tied_to;
		t->extra = src->extra;
		group->sh = (struct shuffle){ .total = t->bytes, .batch = 1, .a = 1, .b = 1 };
		return out ? name_out(y, t, &h, e) : 0;
	}
	group->value = value_of(y, f->hit.row);
	if (f->hit.expert >= 0 || arch_parts_of(in) > 1) {
		want = f->hit.expert < 0 ? arch_parts_of(in) :
		    y->model->experts ? (size_t)y->model->experts : f->n;
		if (collect(y, f, want, e) < 0)
			return -1;
		r = f->hit.expert >= 0 ? stack(y, g, f, e) : join(y, g, f, e);
	} else if (strchr(out, '@')) {
		r = unstack(y, g, src, &h, e);
	} else if (strchr(out, '|')) {
		r = take_apart(y, g, src, &h, e);
	} else {
		r = one_to_one(y, g, src, &h, y->from == ARCH_GGUF || y->to == ARCH_GGUF ?
		    h.row->op : h.row->apr_op, e);
	}
	if (r < 0)
		return -1;
	if (group->value != VALUE_SAME && (!is_plain(src) || group->to->block != 1))
		return packed(y, src, e);
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
		y->src[i].next = NONE;
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
		*f = (struct found){ h, 0, i, false, NONE };
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
	if (tensor_set(&like, &type_f32, TENSOR_ROWS, e) < 0 || !(t = add_out(y, g, 0, &like, e)))
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

/* Where the converter writes a tensor: file by file, there by the checkpoint's
 * name; a layer's stacks where the last of its experts stands. */
struct spot {
	size_t	 index;
	unsigned shard;
	char	*name;
};

static int
by_spot(const void *pa, const void *pb)
{
	const struct spot *a = pa, *b = pb;

	if (a->shard != b->shard)
		return a->shard < b->shard ? -1 : 1;
	if (!a->name || !b->name)	/* made ones, as they were */
		return a->name ? 1 : b->name ? -1 : (a->index > b->index) - (a->index < b->index);
	return strcmp(a->name, b->name);
}

int
arch_order_convert(const struct arch_model *m, const struct tensor *t, size_t *which,
    size_t n, struct err *e)
{
	struct spot *v = calloc(n + 1, sizeof *v);
	unsigned *last = calloc(m->layers + 1, sizeof *last);
	char name[TENSOR_NAME + 1], *at;
	struct arena a = { 0 };
	struct arch_hit h;
	int r = 0;

	if (!v || !last)
		r = err_set(e, "out of memory");
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; r == 0 && i < n; i++) {
			const struct tensor *q = &t[which[i]];
			bool stack;

			v[i].index = which[i];
			if (!arch_match(m, ARCH_GGUF, q->name, &h))
				continue;	/* in front, with those that are made */
			stack = strchr(h.row->hf, '@') && h.layer >= 0 &&
			    (uint64_t)h.layer <= m->layers;
			if (pass == 0) {
				if (stack && q->shard > last[h.layer])
					last[h.layer] = q->shard;
				continue;
			}
			if (!strncmp(h.row->hf, "rope_", 5))
				continue;
			h.part = 0;
			h.expert = 0;
			arch_spell(m, ARCH_HF, &h, name);
			/* Behind all experts' names, before any other's. */
			if (stack && (at = strstr(name, ".experts.0.")))
				at[9] = '~';
			v[i].shard = stack ? last[h.layer] : q->shard;
			if (!(v[i].name = arena_strn(&a, name, strlen(name))))
				r = err_set(e, "out of memory");
		}
	if (r == 0) {
		qsort(v, n, sizeof *v, by_spot);
		for (size_t i = 0; i < n; i++)
			which[i] = v[i].index;
	}
	arena_release(&a);
	free(last);
	free(v);
	return r;
}
