/* SPDX-License-Identifier: MIT */
/* resolve.c -- which type a tensor gets: options, then rules, then the base. */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "resolve.h"

/* How a rule fared. */
enum { MATCHED = 1, REACHED = 2 };

struct resolver {
	const struct manifest	*m;
	const struct quant_opts	*o;
	const struct recipe	*r;
	struct expr_env		 env;
	struct hyper		 hyper;
	bool			 known, tied, plain;
	int64_t			 values;	/* tensors of CLASS_V */
	int64_t			 count[CLASSES];
	unsigned char		*fate;		/* of overrides, then rules */
	size_t			 picked;
	/* The tensor under way, and what was decided about the one before. */
	const struct tensor	*t;
	enum quant_class	 class;
	const char		*before;
	struct decision		 last;
	bool			 own_names;	/* somebody tells pieces apart */
};

static int
foreign(const struct resolver *s, const char *what, struct err *e)
{
	const char *c = s->m->convention;

	return err_set(e, "%s goes by what tensors are for, and the names, %s's, are of no"
	    " architecture that is known: --pure, or a recipe of globs", what,
	    c && *c ? c : "nobody");
}

static int
missing(const struct resolver *s, const char *key, struct err *e)
{
	const char *arch = s->hyper.arch;

	return err_set(e, "the metadata have no %s%s%s, or not as a number", arch,
	    *arch ? "." : "", *arch ? key : "general.architecture");
}

/* With experts, llama-quantize counts these by layers: shared and routed ones
 * are several a layer. */
static int
expert_layer(const struct resolver *s, int64_t *n, struct err *e)
{
	*n = name_layer(tensor_role(s->t));
	if (s->hyper.layers < 0)
		return missing(s, "block_count", e);
	if (*n < 0 || *n >= s->hyper.layers)
		return err_set(e, "%s: is in none of the %" PRId64 " layers", s->t->name,
		    s->hyper.layers);
	return 0;
}

static int
get(void *ctx, enum expr_word w, struct expr_value *v, struct err *e)
{
	const struct resolver *s = ctx;
	const struct tensor *t = s->t;
	const struct hyper *h = &s->hyper;

	v->s = NULL;
	switch (w) {
	case W_BLOCK: v->n = s->r->base ? s->r->base->block : 1; return 0;
	case W_COLS:
		v->n = t->ndim && t->dim[t->ndim - 1] < INT64_MAX ?
		    (int64_t)t->dim[t->ndim - 1] : 1;
		return 0;
	case W_SLICES:
		/* One expert of a stack to be. */
		v->n = t->piece >= 0 && h->experts > 0 && strstr(tensor_role(t), "_exps.") ?
		    h->experts : t->ndim > 2 && t->dim[t->ndim - 3] < INT64_MAX ?
		    (int64_t)t->dim[t->ndim - 3] : 1;
		return 0;
	case W_IMATRIX: v->n = s->o->imatrix != NULL; return 0;
	default:
		if (!s->known)
			return foreign(s, s->r->name, e);
	}
	switch (w) {
	case W_ARCH:
		if (!h->arch[0])
			return missing(s, "", e);
		v->s = h->arch;
		v->len = strlen(h->arch);
		return 0;
	case W_COUNT: v->n = s->count[s->class]; return 0;
	case W_I:
		if (h->experts > 1 && (s->class == CLASS_UP || s->class == CLASS_GATE ||
		    s->class == CLASS_DOWN))
			return expert_layer(s, &v->n, e);
		v->n = s->count[s->class];
		return 0;
	case W_N:
		v->n = s->class == CLASS_V ? s->values : h->layers;
		return v->n < 0 ? missing(s, "block_count", e) : 0;
	case W_LAYER: v->n = name_layer(tensor_role(t)); return 0;
	case W_LAYERS: v->n = h->layers; return v->n < 0 ? missing(s, "block_count", e) : 0;
	case W_EXPERTS:
		v->n = h->experts == HYPER_ABSENT ? 0 : h->experts;
		return v->n < 0 ? missing(s, "expert_count", e) : 0;
	case W_TIED: v->n = s->tied; return 0;
	default:
		break;
	}
	/* Heads. */
	if (h->heads < 0)
		return missing(s, "attention.head_count", e);
	v->n = w == W_HEADS || h->kv_heads == HYPER_ABSENT ? h->heads : h->kv_heads;
	if (v->n < 0)
		return missing(s, "attention.head_count_kv", e);
	if (w == W_GQA)
		v->n = v->n ? h->heads / v->n : 0;
	return 0;
}

static const struct manifest *sorting;

static int
by_visit(const void *a, const void *b)
{
	const struct tensor *x = &sorting->tensor[*(const size_t *)a];
	const struct tensor *y = &sorting->tensor[*(const size_t *)b];
	int by_role = order_quantize(tensor_role(x), tensor_role(y));

	return by_role ? by_role : (x->piece > y->piece) - (x->piece < y->piece);
}

/* Counters go by llama-quantize's order, which no stream need have. */
size_t *
resolver_order(const struct manifest *m, struct err *e)
{
	size_t *v = malloc((m->ntensor + 1) * sizeof *v);

	if (!v) {
		err_set(e, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < m->ntensor; i++)
		v[i] = i;
	sorting = m;
	qsort(v, m->ntensor, sizeof *v, by_visit);
	return v;
}

struct resolver *
resolver_new(const struct manifest *m, const struct quant_opts *o, struct err *e)
{
	struct resolver *s = calloc(1, sizeof *s);
	const struct recipe *r = o->recipe;

	if (!s || !(s->fate = calloc(r->noverride + r->nrule + 1, 1))) {
		free(s);
		err_set(e, "out of memory");
		return NULL;
	}
	s->m = m;
	s->o = o;
	s->r = r;
	s->env = (struct expr_env){ .let = r->let, .nlet = r->nlet, .get = get, .ctx = s };
	s->known = class_known(m);
	for (size_t i = 0; i < m->ntensor; i++)
		s->own_names |= r->names && m->tensor[i].piece >= 0 &&
		    names_find(r->names, m->tensor[i].name) != SIZE_MAX;
	s->tied = true;
	s->plain = r->bare && (r->base->flags & TYPE_PLAIN);
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];

		s->values += class_of(t) == CLASS_V && t->piece <= 0;
		if (class_of(t) == CLASS_OUTPUT && !t->tied_to)
			s->tied = false;
	}
	if (!s->known && (o->leave_output || o->output_type || o->embedding_type)) {
		foreign(s, o->leave_output ? "--leave-output-tensor" : o->output_type ?
		    "--output-tensor-type" : "--token-embedding-type", e);
	} else if (hyper_read(&s->hyper, m, o, e) == 0) {
		return s;
	}
	resolver_free(s);
	return NULL;
}

void
resolver_free(struct resolver *s)
{
	if (s)
		free(s->fate);
	free(s);
}

/* Does the rule speak of this tensor, its condition apart?  1, 0, -1. */
static int
matches(const struct resolver *s, const struct rule *u, struct err *e)
{
	bool yes;

	if (u->classes) {
		if (!s->known)
			return foreign(s, s->r->name, e);
		if (!(u->classes & 1u << s->class))
			return 0;
	}
	/* By its own name or by GGUF's. */
	yes = u->nglob == 0;
	for (size_t i = 0; !yes && i < u->nglob; i++)
		yes = fnmatch(u->glob[i], s->t->name, 0) == 0 ||
		    fnmatch(u->glob[i], tensor_role(s->t), 0) == 0;
	if (!yes)
		return 0;
	yes = u->nregex == 0;
	for (size_t i = 0; !yes && i < u->nregex; i++)
		yes = pattern_match(u->regex[i], s->t->name) ||
		    pattern_match(u->regex[i], tensor_role(s->t));
	if (!yes)
		return 0;
	if (!u->jq)
		return 1;
	return s->r->jq->match(u->jq, s->t, e);
}

/* The rule that decides, or NULL with *r 0 or -1.  The user's rules behind it
 * are looked at only to know whether they match anything. */
static const struct rule *
first(struct resolver *s, const struct rule *rule, size_t n, unsigned char *fate, int *r,
    struct err *e)
{
	const struct rule *found = NULL;
	struct err ignored;

	*r = 0;
	for (size_t i = 0; i < n; i++) {
		const struct rule *u = &rule[i];

		if (found && (!u->own || fate[i] & MATCHED))
			continue;
		*r = matches(s, u, found ? &ignored : e);
		if (*r > 0) {
			fate[i] |= found ? MATCHED : MATCHED | REACHED;
			if (!found && u->cond) {
				*r = expr_true(u->cond, &s->env, e);
				if (*r < 0 && s->known)
					err_prefix(e, "%s", u->where);
			}
			if (!found && *r > 0)
				found = u;
		} else if (*r < 0 && !found && u->jq) {
			err_prefix(e, "%s: %s", u->where, s->t->name);
		}
		if (*r < 0 && !found)
			return NULL;
	}
	*r = 0;
	return found;
}

static int
obey(struct resolver *s, const struct rule *u, struct decision *d, struct err *e)
{
	if (u->action == TO_ERROR)
		return err_set(e, "%s: %s", s->t->name, u->error);
	d->type = u->action == TO_TYPE ? u->type : u->action == TO_BASE ? s->r->base : NULL;
	return 0;
}

static int
decide_one(struct resolver *s, const struct tensor *t, struct decision *d, struct err *e)
{
	const struct quant_opts *o = s->o;
	const struct recipe *r = s->r;
	const struct rule *u = NULL;
	enum quant_class class = class_of(t);
	size_t i = r->names ? names_find(r->names, t->name) : SIZE_MAX;
	int rc = 0;

	if (i == SIZE_MAX && r->names)
		i = names_find(r->names, tensor_role(t));
	*d = (struct decision){ 0 };
	s->t = t;
	s->class = class == CLASS_EMBD && s->tied ? CLASS_OUTPUT : class;
	s->picked += i != SIZE_MAX;
	if ((i == SIZE_MAX && quant_never(t)) || (class == CLASS_OUTPUT && o->leave_output))
		return 0;
	if (!s->plain && r->noverride &&
	    !(u = first(s, r->override, r->noverride, s->fate, &rc, e)) && rc < 0)
		return -1;
	if (class == CLASS_EMBD && o->embedding_type &&
	    !(u && strcmp(tensor_role(t), "token_embd.weight"))) {
		*d = (struct decision){ o->embedding_type, true };
		return 0;
	}
	if (class == CLASS_OUTPUT && o->output_type) {
		*d = (struct decision){ o->output_type, true };
		return 0;
	}
	d->type = r->base;
	if (u)
		return obey(s, u, d, e);
	if (i != SIZE_MAX)
		d->type = r->pick[i].type;
	if (i != SIZE_MAX || o->pure || r->bare)
		return 0;
	if (s->class == CLASS_OUTPUT && o->output_type) {
		d->type = o->output_type;
		return 0;
	}
	if (!(u = first(s, r->rule, r->nrule, s->fate + r->noverride, &rc, e)) && rc < 0)
		return -1;
	if (!u || !u->by_name)
		s->count[s->class]++;
	return u ? obey(s, u, d, e) : 0;
}

/* Pieces of one tensor come behind each other, and it is decided once. */
int
resolver_decide(struct resolver *s, const struct tensor *t, struct decision *d,
    struct err *e)
{
	if (t->piece > 0 && s->before && !strcmp(s->before, tensor_role(t)) && !s->own_names) {
		*d = s->last;
		return 0;
	}
	if (decide_one(s, t, d, e) < 0)
		return -1;
	s->before = tensor_role(t);
	s->last = *d;
	return 0;
}

bool
resolver_needs_weights(const struct resolver *s, const struct tensor *t,
    const struct type *type)
{
	static const char *const always[] = {
		"IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", NULL
	};
	enum quant_class class = class_of(t);

	if (class == CLASS_OUTPUT || class == CLASS_EMBD)
		return false;
	for (size_t i = 0; always[i]; i++)
		if (!strcmp(type->name, always[i]))
			return true;
	for (size_t i = 0; i < s->r->nneed; i++)
		if (s->r->need[i] == type)
			return true;
	return false;
}

static void
say(struct buf *b, const char *where, const char *what)
{
	buf_printf(b, "%s %s", where, what);
	buf_put(b, "", 1);
}

void
resolver_lint(const struct resolver *s, struct buf *b)
{
	const struct recipe *r = s->r;
	size_t n = r->noverride + r->nrule;

	if (s->plain && r->noverride)
		say(b, "--tensor-type", "has no effect on a plain type");
	for (size_t i = s->plain ? r->noverride : 0; i < n; i++) {
		const struct rule *u = i < r->noverride ? &r->override[i] :
		    &r->rule[i - r->noverride];

		if (!u->own || (i >= r->noverride && s->o->pure))
			continue;
		if (!(s->fate[i] & MATCHED))
			say(b, u->where, "matches no tensor that is quantized");
		else if (!(s->fate[i] & REACHED))
			say(b, u->where, "decides nothing: earlier rules match all that it does");
	}
	if (r->npick && !s->picked)
		say(b, r->name, "names no tensor that is here");
}
