/* SPDX-License-Identifier: MIT */
/*
 * fit.c -- types for a size.
 *
 * Every tensor begins with its smallest type.  What is left of the size is
 * spent on the step, of all tensors', that lowers the expected loss most for
 * its bytes: with each tensor's choices reduced to those on the lower convex
 * hull of loss over bytes, these steps in order are what Lagrange's multiplier
 * would find.  The loss of a tensor is its relative squared error times how
 * much such tensors matter: for small errors what a model loses is near to
 * linear in them, layer by layer.
 */
#include <stdlib.h>
#include <string.h>

#include <apr/arch.h>
#include <apr/size.h>

#include "fit.h"
#include "resolve.h"

enum { CHOICES = 64 };

/* What types do to normally distributed weights, in rows of 4096: measured
 * with the encoders in lib/type.  `usual`: chosen from if nobody says. */
static const struct known {
	const char	*name;
	double		 nmse;
	bool		 usual;
} known[] = {
	{ "F16", 4.3e-8, true }, { "BF16", 2.75e-6, true }, { "Q8_0", 2.86e-5, true },
	{ "Q6_K", 3.15e-4, true }, { "Q5_K", 1.30e-3, true }, { "Q5_1", 1.43e-3, true },
	{ "Q5_0", 1.82e-3, true }, { "Q4_K", 5.09e-3, true }, { "Q4_1", 6.11e-3, true },
	{ "IQ4_NL", 5.80e-3, true }, { "IQ4_XS", 5.89e-3, true }, { "Q4_0", 7.37e-3, true },
	{ "Q3_K", 2.28e-2, true }, { "IQ3_S", 2.76e-2, true }, { "IQ3_XXS", 4.55e-2, true },
	{ "IQ2_S", 6.99e-2, true }, { "Q2_K", 8.78e-2, true }, { "IQ2_XS", 8.96e-2, true },
	{ "IQ2_XXS", 1.18e-1, true }, { "IQ1_S", 2.35e-1, false },
	{ "IQ1_M", 3.38e-1, false }, { "apr_q4", 9.40e-3, false },
	{ "NVFP4", 1.07e-2, false }, { "MXFP4", 1.30e-2, false },
	{ "Q1_0", 3.60e-1, false }, { "Q2_0", 5.15e-1, false },
	{ "TQ1_0", 6.51e-1, false }, { "TQ2_0", 6.51e-1, false },
};

/* How much a class matters: the order in which llama-quantize's mixes give
 * more bits.  First and last layers count double, as there. */
static const double matters[CLASSES] = {
	[CLASS_OTHER] = 1, [CLASS_OUTPUT] = 8, [CLASS_EMBD] = 1, [CLASS_V] = 4,
	[CLASS_K] = 2, [CLASS_Q] = 1, [CLASS_ATTN_OUTPUT] = 2, [CLASS_UP] = 1,
	[CLASS_GATE] = 1, [CLASS_DOWN] = 3,
};

struct choice {
	const struct type *type;	/* NULL: as it is */
	uint64_t	 bytes;
	double		 nmse, loss;
	bool		 measured;
};

/* A tensor, or all pieces of one (experts of a stack): who puts them together
 * wants one type. */
struct free_tensor {
	size_t		 pick, count;	/* of the recipe: the first, how many */
	struct choice	*choice;	/* on the hull, smallest first */
	size_t		 n, at;
};

struct step {
	size_t		 tensor, to;
	uint64_t	 bytes;
	double		 slope;
};

struct fitter {
	const struct manifest	*m;
	const struct quant_opts	*o;
	const struct fit	*f;
	struct recipe		*r;
	struct free_tensor	*v;	size_t n;
	struct step		*step;	size_t nstep;
	bool			 tied, named;
	int64_t			 layers;
	/* The one that is being put together. */
	const char		*role;
	struct choice		 choice[CHOICES];
	size_t			 nchoice, count;
};

static const struct known *
known_type(const struct type *type)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(known[i].name, type->name))
			return &known[i];
	return NULL;
}

static bool
is_listed(const struct type *const *list, const struct type *type)
{
	while (*list && *list != type)
		list++;
	return *list;
}

static bool
wanted(const struct fitter *x, const struct type *type)
{
	const struct known *k = known_type(type);

	if (x->f->types)
		return is_listed(x->f->types, type);
	return k && k->usual;
}

/* Nobody else decides about it, and it can be converted. */
static bool
is_free(const struct fitter *x, struct resolver *s, const struct tensor *t)
{
	struct decision d;
	struct err e;

	if (t->tied_to || (t->type->flags & TYPE_INTEGER) ||
	    (!t->type->to_f32 && !(t->type->flags & TYPE_WHOLE)) || quant_never(t))
		return false;
	if ((t->type->block > 1 || (t->type->flags & TYPE_WHOLE)) && !x->o->requantize)
		return false;
	if (x->o->leave_output && class_of(t) == CLASS_OUTPUT)
		return false;
	return resolver_decide(s, t, &d, &e) == 0 && !d.type;
}

static double
weight(const struct fitter *x, const struct tensor *t)
{
	enum quant_class class = x->named ? class_of(t) : CLASS_OTHER;
	int64_t layer = x->named ? name_layer(tensor_role(t)) : -1;
	double w;

	if (class == CLASS_EMBD && x->tied)
		class = CLASS_OUTPUT;
	w = matters[class];
	if (layer >= 0 && x->layers > 0 &&
	    (layer < x->layers / 8 || layer >= 7 * x->layers / 8))
		w *= 2;
	return w;
}

struct found {
	struct choice	*c;
	size_t		 n;
	double		 ratio;		/* measured errors over known ones, summed */
	size_t		 ratios;
};

static void
found(void *ctx, const struct type *type, double nmse)
{
	struct found *f = ctx;
	const struct known *k = known_type(type);

	if (k && nmse > 0) {
		f->ratio += nmse / k->nmse;
		f->ratios++;
	}
	for (size_t i = 0; i < f->n; i++)
		if (f->c[i].type == type) {
			f->c[i].nmse = nmse;
			f->c[i].measured = true;
		}
}

/* What was measured; of other types what is known of them, times what the
 * tensor's measured ones were off by. */
static int
losses(const struct fitter *x, const struct tensor *t, struct choice *c, size_t n,
    struct err *e)
{
	struct found f = { .c = c, .n = n };
	double w = weight(x, t), off = 1;

	if (x->f->measured && measured_look(x->f->measured, t, found, &f, e) < 0)
		return -1;
	if (f.ratios)
		off = f.ratio / (double)f.ratios;
	for (size_t i = 0; i < n; i++)
		c[i].loss = w * (c[i].measured || !c[i].type ? c[i].nmse : c[i].nmse * off);
	return 0;
}

static int
by_bytes(const void *a, const void *b)
{
	const struct choice *p = a, *q = b;

	if (p->bytes != q->bytes)
		return p->bytes < q->bytes ? -1 : 1;
	return p->loss < q->loss ? -1 : p->loss > q->loss;
}

static double
slope(const struct choice *a, const struct choice *b)
{
	return (a->loss - b->loss) / (double)(b->bytes - a->bytes);
}

/* Those worth their bytes, with ever less gain for more. */
static size_t
hull(struct choice *c, size_t n)
{
	size_t k = 0;

	qsort(c, n, sizeof *c, by_bytes);
	for (size_t i = 0; i < n; i++) {
		if (k > 0 && (c[i].bytes == c[k - 1].bytes || c[i].loss >= c[k - 1].loss))
			continue;
		while (k > 1 && slope(&c[k - 1], &c[i]) >= slope(&c[k - 2], &c[k - 1]))
			k--;
		c[k++] = c[i];
	}
	return k;
}

static int
choices(struct fitter *x, const struct tensor *t, struct choice *c, size_t *n,
    struct resolver *s, struct err *e)
{
	struct err no;

	*n = 0;
	for (size_t i = 0; types[i] && *n < CHOICES - 1; i++) {
		const struct known *k = known_type(types[i]);
		struct tensor copy = *t;

		if (types[i] == t->type || !wanted(x, types[i]) ||
		    (!types[i]->from_f32 && !(types[i]->flags & TYPE_WHOLE)) ||
		    (!x->o->imatrix && resolver_needs_weights(s, t, types[i])))
			continue;
		if (tensor_set(&copy, types[i], TENSOR_ROWS, &no) < 0 || copy.bytes >= t->bytes ||
		    !x->f->holds(x->f->ctx, &copy))
			continue;
		/* Of a type that nobody knows, errors must have been measured. */
		c[*n] = (struct choice){ .type = types[i], .bytes = copy.bytes,
		    .nmse = k ? k->nmse : 1 };
		++*n;
	}
	if ((!x->f->types || *n == 0 || is_listed(x->f->types, t->type)) &&
	    x->f->holds(x->f->ctx, t))
		c[(*n)++] = (struct choice){ .bytes = t->bytes };
	if (*n == 0)
		return err_set(e, "%s: none of the types to choose from fits its rows",
		    t->name);
	return losses(x, t, c, *n, e);
}

/* What was put together is whole. */
static int
close_tensor(struct fitter *x, struct err *e)
{
	struct free_tensor *v = &x->v[x->n];
	struct choice *c = x->choice;

	if (!x->count)
		return 0;
	for (size_t k = 0; k < x->nchoice; k++)
		c[k].loss /= (double)x->count;
	v->n = hull(c, x->nchoice);
	if (!(v->choice = malloc(v->n * sizeof *c)))
		return err_set(e, "out of memory");
	memcpy(v->choice, c, v->n * sizeof *c);
	v->count = x->count;
	v->pick = x->r->npick - x->count;
	for (size_t k = 0; k < v->count; k++)
		x->r->pick[v->pick + k].type = v->choice[0].type;
	x->n++;
	x->nstep += v->n - 1;
	x->count = 0;
	return 0;
}

/* Of the same tensor, with the same to choose from? */
static bool
goes_on(const struct fitter *x, const struct tensor *t, const struct choice *c, size_t n)
{
	if (strcmp(tensor_role(t), x->role) || n != x->nchoice)
		return false;
	for (size_t k = 0; k < n; k++)
		if (c[k].type != x->choice[k].type)
			return false;
	return true;
}

static int
add_tensor(struct fitter *x, const struct tensor *t, struct resolver *s, struct err *e)
{
	struct choice c[CHOICES];
	size_t n;

	if (choices(x, t, c, &n, s, e) < 0)
		return -1;
	if (x->count && !goes_on(x, t, c, n) && close_tensor(x, e) < 0)
		return -1;
	for (size_t k = 0; k < n; k++) {
		if (!x->count)
			x->choice[k] = (struct choice){ .type = c[k].type };
		if (u64_add(&x->choice[k].bytes, x->choice[k].bytes, c[k].bytes))
			return err_set(e, "%s: too many bytes", tensor_role(t));
		x->choice[k].loss += c[k].loss;
	}
	x->role = tensor_role(t);
	x->nchoice = n;
	x->count++;
	return recipe_pick(x->r, t->name, c[0].type, e);
}

static int
by_slope(const void *a, const void *b)
{
	const struct step *p = a, *q = b;

	if (p->slope > q->slope || p->slope < q->slope)
		return p->slope > q->slope ? -1 : 1;
	if (p->tensor != q->tensor)
		return p->tensor < q->tensor ? -1 : 1;
	return p->to < q->to ? -1 : p->to > q->to;
}

static int
make_steps(struct fitter *x, struct err *e)
{
	size_t k = 0;

	if (!(x->step = malloc((x->nstep + 1) * sizeof *x->step)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < x->n; i++)
		for (size_t j = 1; j < x->v[i].n; j++)
			x->step[k++] = (struct step){ i, j,
			    x->v[i].choice[j].bytes - x->v[i].choice[j - 1].bytes,
			    slope(&x->v[i].choice[j - 1], &x->v[i].choice[j]) };
	qsort(x->step, x->nstep, sizeof *x->step, by_slope);
	return 0;
}

/* Spend the bytes; the picks are what came of it. */
static void
spend(struct fitter *x, uint64_t left)
{
	for (size_t i = 0; i < x->n; i++)
		x->v[i].at = 0;
	for (size_t k = 0; k < x->nstep; k++) {
		const struct step *s = &x->step[k];

		if (x->v[s->tensor].at + 1 == s->to && s->bytes <= left) {
			x->v[s->tensor].at = s->to;
			left -= s->bytes;
		}
	}
	for (size_t i = 0; i < x->n; i++)
		for (size_t k = 0; k < x->v[i].count; k++)
			x->r->pick[x->v[i].pick + k].type = x->v[i].choice[x->v[i].at].type;
}

/* Headers and padding depend on types a little: the size is asked, and less
 * is spent until it is right. */
static int
meet(struct fitter *x, struct err *e)
{
	uint64_t size, left;

	spend(x, 0);
	if (x->f->size(x->f->ctx, &size, e) < 0)
		return -1;
	if (size > x->f->target)
		return err_set(e, "%llu bytes are the least that this comes to, %llu are"
		    " wanted", (unsigned long long)size, (unsigned long long)x->f->target);
	for (left = x->f->target - size; ; left -= size - x->f->target) {
		spend(x, left);
		if (x->f->size(x->f->ctx, &size, e) < 0)
			return -1;
		if (size <= x->f->target)
			return 0;
		if (size - x->f->target > left) {
			spend(x, 0);
			return 0;
		}
	}
}

int
quant_fit(struct manifest *m, const struct quant_opts *o, struct recipe *r,
    const struct fit *f, struct err *e)
{
	struct fitter x = { .m = m, .o = o, .f = f, .r = r, .tied = true };
	int roles = arch_roles(m, e), rc = -1;
	struct resolver *s = NULL;
	size_t *order = NULL;
	struct hyper h;

	if (roles < 0 || !(s = resolver_new(m, o, e)) || hyper_read(&h, m, o, e) < 0 ||
	    !(order = resolver_order(m, e)))
		goto out;
	x.named = roles > 0;
	x.layers = h.layers;
	for (size_t i = 0; i < m->ntensor; i++)
		if (class_of(&m->tensor[i]) == CLASS_OUTPUT && !m->tensor[i].tied_to)
			x.tied = false;
	if (!(x.v = calloc(m->ntensor + 1, sizeof *x.v))) {
		err_set(e, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[order[i]];

		if (is_free(&x, s, t) && add_tensor(&x, t, s, e) < 0)
			goto out;
	}
	if (close_tensor(&x, e) == 0 && make_steps(&x, e) == 0)
		rc = meet(&x, e);
out:
	for (size_t i = 0; i < x.n; i++)
		free(x.v[i].choice);
	free(x.v);
	free(x.step);
	free(order);
	resolver_free(s);
	return rc;
}
