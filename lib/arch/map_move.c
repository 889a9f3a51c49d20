/* SPDX-License-Identifier: MIT */
/* map_move.c -- how a tensor's rows and columns move between conventions. */
#include <inttypes.h>

#include "map.h"

const char *
map_target(const struct mapper *y)
{
	return y->to == ARCH_GGUF ? "gguf" : y->to == ARCH_APR ? "apr" : "hf";
}

/* What a packed type does not survive is done before packing. */
int
map_packed(const struct mapper *y, const struct tensor *t, struct err *e)
{
	return err_set(e, "%s: its layout as %s cannot be had from packed %s: apr-cat --as %s"
	    " changes it before apr-quant, or apr-dequant first", t->name, map_target(y),
	    t->type->name, map_target(y));
}

bool
map_is_plain(const struct tensor *t)
{
	return t->type->block == 1 && !(t->type->flags & (TYPE_WHOLE | TYPE_FLAT | TYPE_INTEGER)) &&
	    t->type->to_f32 && t->type->from_f32;
}

/* Rows and their bytes; what has no rows of its own is none. */
static int
rows_of(const struct mapper *y, const struct tensor *t, uint64_t *rows, uint64_t *bytes,
    struct err *e)
{
	if (t->flat || (t->type->flags & TYPE_WHOLE) || t->ndim == 0)
		return map_packed(y, t, e);
	*rows = t->dim[0];
	if (t->ndim == 1 && t->type->block != 1)
		return map_packed(y, t, e);
	*bytes = *rows ? t->bytes / *rows : 0;
	return 0;
}

int
map_misfit(const struct tensor *t, const char *what, uint64_t rows, uint64_t by, struct err *e)
{
	return err_set(e, "%s: %" PRIu64 " %s, which its metadata's %" PRIu64
	    " do not divide", t->name, rows, what, by);
}

int
map_shuffle(const struct mapper *y, enum arch_op op, const struct tensor *t, unsigned parts,
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
			return map_misfit(t, "rows", rows, 2 * by, e);
		*s = (struct shuffle){ t->bytes, 0, by, 2, rows / by / 2, row };
		return 0;
	case OP_TRANSPOSE:
		if (t->type->block != 1 || t->ndim != 2)
			return map_packed(y, t, e);
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
			return map_misfit(t, "rows", rows, k + m->v_heads * m->v_dim, e);
		*s = (struct shuffle){ t->bytes, k * row, 1, m->k_heads, r, m->v_dim * row };
	} else if (op == OP_V_HEADS || op == OP_V_ONES) {
		by = op == OP_V_HEADS ? m->v_dim : 1;
		if (rows != m->v_heads * by)
			return map_misfit(t, "rows", rows, m->v_heads * by, e);
		*s = (struct shuffle){ t->bytes, 0, 1, m->k_heads, r, by * row };
	} else {
		if (t->ndim != 2 || t->dim[1] != m->v_heads * m->v_dim)
			return map_misfit(t, "columns", t->ndim == 2 ? t->dim[1] : 0,
			    m->v_heads * m->v_dim, e);
		if (m->v_dim % t->type->block != 0 && r > 1)
			return map_packed(y, t, e);
		*s = (struct shuffle){ t->bytes, 0, rows, m->k_heads, r,
		    row / m->v_heads };
	}
	return 0;
}

/* Lengths of the parts of GGUF's rows, in .apr. */
int
map_part_rows(const struct mapper *y, const struct arch_tensor *row, const struct tensor *t,
    uint64_t rows[3], struct err *e)
{
	const struct arch_model *m = y->model;
	uint64_t q = m->heads * m->head_dim, k = m->kv_heads * m->head_dim;

	if (row->parts == PARTS_HALVES) {
		rows[0] = rows[1] = t->dim[0] / 2;
		return t->dim[0] % 2 ? map_misfit(t, "rows", t->dim[0], 2, e) : 0;
	}
	rows[0] = q;
	rows[1] = rows[2] = k;
	if (t->ndim == 0 || q + 2 * k != t->dim[0])
		return map_misfit(t, "rows", t->ndim ? t->dim[0] : 0, q + 2 * k, e);
	return 0;
}

/* Shapes the other way round. */
void
map_swap(struct tensor *t)
{
	uint64_t d = t->dim[0];

	if (t->ndim != 2)
		return;
	t->dim[0] = t->dim[1];
	t->dim[1] = d;
}
