/* SPDX-License-Identifier: MIT */
/* read.c -- elements of a view, wherever and however they are stored. */
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "diff.h"

enum {
	STEP = 16384,		/* elements decoded at once */
	SMALL = 32,		/* cells below are turned in strips */
	ROW_MAX = 1 << 20,	/* of rows up to so many elements */
};

struct reading {
	struct diff		*d;
	const struct view	*v;
	const struct held_bytes	*held;
	bool			 wide;
	unsigned char		*dst;		/* of what is emitted */
};

int
diff_side_bytes(struct diff *d, unsigned side, size_t tensor, const struct held_bytes *held,
    uint64_t at, void *dst, size_t n, struct err *e)
{
	struct side *s = &d->side[side];

	if (held && held->tensor == tensor) {
		memcpy(dst, held->p + (at - held->at), n);
		return 0;
	}
	if (s->stream)
		return io_pread(s->spill[tensor], dst, n, at, e) < 0 ?
		    err_prefix(e, "%s: $TMPDIR", s->m->tensor[tensor].name) : 0;
	return source_get(s->s, &s->m->tensor[tensor], at, dst, n, e);
}

static uint64_t
cols_of(const struct tensor *t)
{
	return t->ndim ? t->dim[t->ndim - 1] : 1;
}

uint64_t
diff_tensor_at(const struct tensor *t, uint64_t e)
{
	if (t->row_bytes)
		return e / cols_of(t) * t->row_bytes +
		    e % cols_of(t) / t->type->block * t->type->bytes;
	return e / t->type->block * t->type->bytes + (t->type->flags & TYPE_WHOLE ? 4 : 0);
}

/* Integers and F64 one by one. */
static double
number(const struct type *t, const unsigned char *p)
{
	uint64_t u = 0;
	double d;

	for (unsigned i = 0; i < t->bytes; i++)
		u |= (uint64_t)p[i] << 8 * i;
	if (t == &type_f64) {
		memcpy(&d, &u, sizeof d);
		return d;
	}
	if (t->name[0] == 'I' && t->bytes < 8 && u >> (8u * t->bytes - 1))
		return (double)(int64_t)(u | ~(uint64_t)0 << 8 * t->bytes);
	return t->name[0] == 'I' ? (double)(int64_t)u : (double)u;
}

/* n elements from raw, values changed on the way. */
static void
decode(const struct reading *r, const struct tensor *t, void *dst, const unsigned char *raw,
    size_t n, float scale)
{
	float *x = dst, tmp[STEP];
	double *y = dst;

	if (r->wide && (t->type == &type_f64 || t->type->flags & TYPE_INTEGER)) {
		for (size_t i = 0; i < n; i++)
			y[i] = number(t->type, raw + i * t->type->bytes);
		return;
	}
	if (r->wide)
		x = tmp;
	if (t->type->flags & TYPE_WHOLE) {
		type_q8_decoder()(x, (const int8_t *)raw, n, scale);
	} else if (r->v->value != VALUE_SAME && t->type->flags & TYPE_PLAIN) {
		struct arch_group g = { .from = t->type, .to = &type_f32, .value = r->v->value };

		arch_values(&g, x, raw, n);
	} else {
		type_decoder(t->type)(x, raw, n);
	}
	for (size_t i = 0; r->wide && i < n; i++)
		y[i] = (double)x[i];
}

/* Elements [off, off + n) of a tensor: all in one row if rows are padded. */
static int
values(const struct reading *r, size_t tensor, uint64_t off, size_t n, unsigned char *dst,
    struct err *e)
{
	const struct tensor *t = &r->d->side[r->v->side].m->tensor[tensor];
	size_t block = t->type->block, size = r->wide ? sizeof(double) : sizeof(float);
	uint64_t end = t->row_bytes ? off - off % cols_of(t) + cols_of(t) : t->n;
	unsigned char raw[STEP * 8];
	float scale = 0, some[STEP];
	double wide[256];

	if (t->type->flags & TYPE_WHOLE) {
		if (diff_side_bytes(r->d, r->v->side, tensor, r->held, 0, raw, 4, e) < 0)
			return -1;
		type_f32.to_f32(&scale, raw, 1);
	}
	while (n > 0) {
		uint64_t skip = (t->row_bytes ? off % cols_of(t) : off) % block, from = off - skip;
		size_t k = n < STEP - 256 - skip ? n : (size_t)(STEP - 256 - skip), have;
		uint64_t to = from + (skip + k + block - 1) / block * block;

		/* Blocks are whole but for the last one of those that run over
		 * row ends; a padded row's has more than the row. */
		have = (size_t)((to < end || t->row_bytes ? to : end) - from);
		if (diff_side_bytes(r->d, r->v->side, tensor, r->held, diff_tensor_at(t, from), raw,
		    (have + block - 1) / block * t->type->bytes, e) < 0)
			return -1;
		if (skip == 0 && have == k) {
			decode(r, t, dst, raw, have, scale);
		} else if (r->wide) {
			/* A block at a time, which is at most 256. */
			for (size_t i = 0, done = 0; done < k; i += block) {
				size_t one = have - i < block ? have - i : block, s = i ? 0 : (size_t)skip;
				size_t some_k = one - s < k - done ? one - s : k - done;

				decode(r, t, wide, raw + i / block * t->type->bytes, one, scale);
				memcpy(dst + done * size, wide + s, some_k * size);
				done += some_k;
			}
		} else {
			decode(r, t, some, raw, have, scale);
			memcpy(dst, some + skip, k * size);
		}
		dst += k * size;
		off += k;
		n -= k;
	}
	return 0;
}

/* Elements of the run, not shuffled yet. */
static int
run(const struct reading *r, uint64_t at, size_t n, unsigned char *dst, struct err *e)
{
	const struct view *v = r->v;
	size_t lo = 0, hi = v->npiece, size = r->wide ? sizeof(double) : sizeof(float);

	if (v->data) {
		float x;

		for (size_t i = 0; i < n; i++, dst += size) {
			type_f32.to_f32(&x, v->data + (at + i) * 4, 1);
			if (r->wide)
				*(double *)(void *)dst = (double)x;
			else
				*(float *)(void *)dst = x;
		}
		return 0;
	}
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (v->piece[mid].at <= at)
			lo = mid;
		else
			hi = mid;
	}
	for (; n > 0; lo++) {
		const struct piece *p = &v->piece[lo < v->npiece ? lo : 0];
		const struct tensor *t = &r->d->side[v->side].m->tensor[p->tensor];
		uint64_t off = at - p->at, cols = cols_of(t);

		if (lo >= v->npiece)
			return err_set(e, "%s: its parts end early", t->name);

		while (n > 0 && off < t->n) {
			uint64_t k = t->row_bytes ? cols - off % cols : t->n - off;

			k = k < n ? k : n;
			if (values(r, p->tensor, off, (size_t)k, dst, e) < 0)
				return -1;
			dst += k * size;
			off += k;
			at += k;
			n -= (size_t)k;
		}
	}
	return 0;
}

static int
get(void *ctx, void *dst, uint64_t at, size_t n, struct err *e)
{
	struct reading *r = ctx;
	size_t size = r->wide ? sizeof(double) : sizeof(float);

	return run(r, at / size, n / size, dst, e);
}

static int
emit(void *ctx, const void *p, size_t n, struct err *e)
{
	struct reading *r = ctx;

	(void)e;
	memcpy(r->dst, p, n);
	r->dst += n;
	return 0;
}

bool
diff_view_strips(const struct view *v, uint64_t cols)
{
	const struct shuffle *s = &v->sh;

	return !shuffle_none(s) && s->prefix == 0 && s->cell > 0 && s->cell < SMALL * 4 &&
	    cols <= ROW_MAX && cols % (s->a * (s->cell / 4)) == 0 && v->at % cols == 0;
}

bool
diff_view_plain(const struct diff *d, const struct view *v)
{
	if (v->data || !shuffle_none(&v->sh))
		return false;
	for (size_t i = 0; i < v->npiece; i++) {
		const struct tensor *t = &d->side[v->side].m->tensor[v->piece[i].tensor];

		if (t->flat || t->type->flags & (TYPE_WHOLE | TYPE_FLAT))
			return false;
	}
	return true;
}

int
diff_view_get(struct diff *d, const struct view *v, const struct held_bytes *held, bool wide,
    uint64_t at, size_t n, void *dst, struct err *e)
{
	struct reading r = { d, v, held, wide, dst };
	size_t size = wide ? sizeof(double) : sizeof(float);
	uint64_t prefix = v->sh.prefix / 4, cell = v->sh.cell / 4;
	struct shuffle s = v->sh;

	at += v->at;
	if (shuffle_none(&v->sh))
		return run(&r, at, n, dst, e);
	if (v->strips) {
		s.total = s.total / 4 * size;
		s.prefix = s.prefix / 4 * size;
		s.cell = s.cell / 4 * size;
		return shuffle_gather(&s, at * size, n * size, get, emit, &r, e);
	}
	/* [b][a] back to [a][b], a cell at a time. */
	for (uint64_t k; n > 0; at += k, n -= (size_t)k) {
		uint64_t in = at, y, q, in_item;

		if (at < prefix) {
			k = prefix - at;
		} else {
			y = at - prefix;
			q = y / cell;
			in_item = q % (s.a * s.b);
			in = prefix + (q - in_item + in_item % s.a * s.b + in_item / s.a) * cell +
			    y % cell;
			k = cell - y % cell;
		}
		k = k < n ? k : n;
		if (run(&r, in, (size_t)k, r.dst, e) < 0)
			return -1;
		r.dst += k * size;
	}
	return 0;
}
