/* SPDX-License-Identifier: MIT */
/* merge.c -- the tensors of two models into one, while they pass. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <apr/exact.h>
#include <apr/merge.h>
#include <apr/values.h>

enum { TILE = 4096 };

struct side {
	struct stream_in *in;
	struct values	*v;
	float		 x[TILE];
};

struct merge {
	struct merge_opts o;
	struct side	 side[MERGE_SIDES];
	unsigned	 n, bad;	/* the side that could not be read */
	struct tensor	*was;		/* the stream's tensors as they came */
	unsigned char	 y[TILE * sizeof(double)];
};

/* a times the stream, b times the source, c times the base. */
struct factors {
	double	a, b, c;
};

static int
read_tile(struct merge *m, size_t n, struct err *e)
{
	for (unsigned k = 0; k < m->n; k++)
		if (values_read(m->side[k].v, m->side[k].x, n, e) < 0) {
			m->bad = k;
			return -1;
		}
	return 0;
}

/* Of all values: products and squares, in tiles, added without rounding. */
static int
angle(struct merge *m, const struct tensor *t, struct factors *f, struct err *e)
{
	struct exact aa = { 0 }, bb = { 0 }, ab = { 0 };
	double na, nb, dot, theta, w = m->o.w;

	for (uint64_t at = 0; at < t->n; at += TILE) {
		size_t n = t->n - at < TILE ? (size_t)(t->n - at) : TILE;
		double sa = 0, sb = 0, sab = 0;

		if (read_tile(m, n, e) < 0)
			return -1;
		for (size_t i = 0; i < n; i++) {
			double a = (double)m->side[0].x[i], b = (double)m->side[1].x[i];

			sa += a * a;
			sb += b * b;
			sab += a * b;
		}
		if (!isfinite(sa) || !isfinite(sb))
			return err_set(e, "%s: has values that are not finite, so there is no"
			    " angle", t->name);
		exact_add(&aa, sa);
		exact_add(&bb, sb);
		exact_add(&ab, sab);
	}
	for (unsigned k = 0; k < m->n; k++)
		if (values_again(m->side[k].v, e) < 0)
			return -1;
	na = sqrt(exact_value(&aa));
	nb = sqrt(exact_value(&bb));
	dot = na > 0 && nb > 0 ? exact_value(&ab) / na / nb : 1;
	/* As good as parallel: the straight line, as the sines vanish. */
	if (fabs(dot) > 0.9995)
		return 0;
	theta = acos(dot);
	*f = (struct factors){ sin((1 - w) * theta) / sin(theta), sin(w * theta) / sin(theta), 0 };
	return 0;
}

/* What counts nothing is not there: a zero's sign stays. */
static double
mix(const struct factors *f, double a, double b, double c)
{
	if (f->b == 0)
		return f->a * a;
	if (f->a == 0)
		return f->b * b;
	return f->a * a + f->b * b + f->c * c;
}

static int
begin(struct merge *m, const struct tensor *t, size_t index, struct err *e)
{
	for (unsigned k = 0; k < m->n; k++) {
		const struct manifest *sm = stream_manifest(m->side[k].in);
		const struct tensor *st = k ? &sm->tensor[index] : t;

		if (!values_of(st))
			return err_set(e, "%s: %s cannot be decoded", st->name, st->type->name);
		if (values_begin(m->side[k].v, st, m->o.sphere, e) < 0) {
			m->bad = k;
			return -1;
		}
	}
	return 0;
}

static int
blend(struct merge *m, struct stream_out *out, const struct tensor *t, size_t index,
    struct err *e)
{
	struct factors f = { 1 - m->o.w, m->o.w, 0 };
	const struct type *to = stream_manifest(m->side[0].in)->tensor[index].type;
	float *x = m->side[0].x;

	if (m->n == 3)
		f = (struct factors){ 1, m->o.w, -m->o.w };
	if (begin(m, t, index, e) < 0 ||
	    (m->o.sphere && t->n > 0 && angle(m, t, &f, e) < 0))
		return -1;
	for (uint64_t at = 0; at < t->n; at += TILE) {
		size_t n = t->n - at < TILE ? (size_t)(t->n - at) : TILE;

		if (read_tile(m, n, e) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			x[i] = (float)mix(&f, (double)x[i], (double)m->side[1].x[i],
			    m->n == 3 ? (double)m->side[2].x[i] : 0);
		type_encoder(to, EFFORT_REFERENCE)(m->y, x, n, NULL);
		if (stream_write(out, m->y, n * to->bytes, e) < 0)
			return -1;
	}
	return 0;
}

/* The others' next tensors are the stream's; files do not matter. */
static int
step(struct merge *m, unsigned k, const struct tensor *t, struct err *e)
{
	const struct manifest *man = stream_manifest(m->side[k].in);
	struct member mem;
	int r;

	while ((r = stream_next(m->side[k].in, &mem, e)) > 0 && mem.kind == MEMBER_FILE)
		;
	if (r < 0) {
		m->bad = k;
		return -1;
	}
	if (r == 0 || mem.kind != MEMBER_TENSOR || strcmp(man->tensor[mem.index].name, t->name))
		return err_set(e, "%s: the other model has another tensor here: a saved stream"
		    " must be in the same order", t->name);
	return 0;
}

static int
member(struct merge *m, struct stream_out *out, const struct member *mem, struct err *e)
{
	struct stream_in *in = m->side[0].in;
	const struct tensor *t = mem->kind == MEMBER_TENSOR ? &m->was[mem->index] : NULL;

	for (unsigned k = 1; t && k < m->n; k++)
		if (step(m, k, t, e) < 0)
			return -1;
	if (!t || t->tied_to || !values_of(t))
		return stream_copy(out, in, mem, e);
	if (stream_member(out, MEMBER_TENSOR, t->name,
	    stream_manifest(in)->tensor[mem->index].bytes, e) < 0)
		return -1;
	return blend(m, out, t, mem->index, e);
}

static int
run(struct merge *m, struct stream_out *out, struct err *e)
{
	struct member mem;
	int r;

	while ((r = stream_next(m->side[0].in, &mem, e)) > 0)
		if (member(m, out, &mem, e) < 0)
			return -1;
	for (unsigned k = 1; r == 0 && k < m->n; k++) {
		while ((r = stream_next(m->side[k].in, &mem, e)) > 0)
			;
		if (r < 0)
			m->bad = k;
	}
	return r;
}

int
merge_run(struct merge *m, struct stream_out *out, unsigned *side, struct err *e)
{
	int r = run(m, out, e);

	*side = m->bad;
	return r;
}

static int
retype(struct merge *m, struct manifest *man, struct err *e)
{
	if (!(m->was = calloc(man->ntensor + 1, sizeof *m->was)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < man->ntensor; i++) {
		struct tensor *t = &man->tensor[i];

		m->was[i] = *t;
		if (t->tied_to || !values_of(t))
			t->absmax = NULL;
		else if (values_retype(t, e) < 0)
			return -1;
	}
	return 0;
}

struct merge *
merge_new(struct stream_in *const in[], unsigned n, const struct merge_opts *o, struct err *e)
{
	struct merge *m = calloc(1, sizeof *m);
	int r = m ? 0 : err_set(e, "out of memory");

	for (unsigned k = 0; r == 0 && k < n && k < MERGE_SIDES; k++) {
		m->side[k].in = in[k];
		m->n = k + 1;
		if (!(m->side[k].v = values_new(in[k], k ? NULL : o->progress, e)))
			r = -1;
	}
	if (r == 0) {
		m->o = *o;
		r = retype(m, stream_manifest(in[0]), e);
	}
	if (r < 0) {
		merge_free(m);
		return NULL;
	}
	return m;
}

void
merge_free(struct merge *m)
{
	for (unsigned k = 0; m && k < m->n; k++)
		values_free(m->side[k].v);
	if (m)
		free(m->was);
	free(m);
}
