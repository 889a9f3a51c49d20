/* SPDX-License-Identifier: MIT */
/* rules.c -- tensors retyped as a recipe, or aprender's way, has it. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/arch.h>

#include "convert.h"
#include "resolve.h"

const char *const quant_fallbacks[] = { "table", "error", "f16", "pad", NULL };
const char *const quant_efforts[] = { "reference", "high", "apr", NULL };

static bool
contains(const char *name, const char *const *part)
{
	for (; *part; part++)
		if (strstr(name, *part))
			return true;
	return false;
}

/* A part between dots. */
static bool
has_part(const char *name, const char *part)
{
	size_t n = strlen(part);

	for (const char *p = name; (p = strstr(p, part)); p++)
		if ((p == name || p[-1] == '.') && (p[n] == '\0' || p[n] == '.'))
			return true;
	return false;
}

/* aprender looks for pieces anywhere in a name; so must whoever follows it. */
static bool
apr_keeps_f32(const struct tensor *t, const struct type *type)
{
	static const char *const ggml[] = { "bias", "norm", "scale", "embed", NULL };
	static const char *const native[] = { "bias", "layernorm", "layer_norm",
		"norm.weight", "conv1d", "ssm_dt.bias", NULL };
	static const char *const state[] = { "A_log", "ssm_a", "dt_bias", "ssm_dt_bias" };

	if (t->ndim < 2)
		return true;
	if (type->ggml >= 0 && !(type->flags & TYPE_PLAIN))
		/* Blocks that run over row ends, as it has them where there
		 * are not two dimensions, no reader could tell apart. */
		return t->n < 256 || contains(t->name, ggml) ||
		    (t->ndim != 2 && t->dim[t->ndim - 1] % type->block != 0);
	for (size_t i = 0; i < sizeof state / sizeof *state; i++)
		if (has_part(t->name, state[i]))
			return true;
	return (t->n < 1024 && !(type->flags & TYPE_PLAIN)) || contains(t->name, native);
}

static bool
ends(const char *s, const char *const *tail)
{
	size_t n = strlen(s);

	for (; *tail; tail++) {
		size_t k = strlen(*tail);

		if (n >= k && !strcmp(s + n - k, *tail))
			return true;
	}
	return false;
}

/* lattice goes by Hugging Face's names, in this order. */
static bool
lattice_quantizes(const char *name)
{
	static const char *const experts[] = { ".experts.gate_up_proj", ".experts.down_proj",
		NULL };
	static const char *const weight[] = { ".weight", NULL };
	static const char *const yes[] = { "_proj.weight", "_proj_a.weight", "_proj_b.weight",
		"_proj_qkv.weight", "_proj_z.weight", "lm_head.weight", "embed_tokens.weight",
		NULL };
	static const char *const norm[] = { "norm.weight", "norm_", NULL };
	static const char *const no[] = { ".bias", "A_log", "dt_bias", "conv1d.weight", NULL };

	if (ends(name, experts))
		return true;
	if (!ends(name, weight))
		return false;
	return ends(name, yes) || (!contains(name, norm) && !ends(name, no));
}

/* llama-quantize's table; NULL: it stops.  cols % type->block is not 0. */
static const struct type *
fallback(const struct type *type, uint64_t cols)
{
	static const char *const table[][2] = {
		{ "Q4_K", "Q5_0" }, { "Q5_K", "Q5_1" }, { "Q6_K", "Q8_0" },
		{ "Q2_K", "Q4_0" }, { "Q3_K", "Q4_0" }, { "Q2_0", "Q4_0" },
		{ "TQ1_0", "Q4_0" }, { "TQ2_0", "Q4_0" }, { "IQ4_XS", "IQ4_NL" },
		{ "IQ1_S", "IQ4_NL" }, { "IQ1_M", "IQ4_NL" }, { "IQ2_XXS", "IQ4_NL" },
		{ "IQ2_XS", "IQ4_NL" }, { "IQ2_S", "IQ4_NL" }, { "IQ3_XXS", "IQ4_NL" },
		{ "IQ3_S", "IQ4_NL" },
	};

	if (!strcmp(type->name, "Q1_0") || !strcmp(type->name, "NVFP4"))
		return NULL;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		if (!strcmp(type->name, table[i][0])) {
			type = type_by_name(table[i][1]);
			return cols % type->block ? &type_f16 : type;
		}
	return &type_f16;
}

/* Why a tensor has the type that it has. */
enum why { CHOSEN, KEPT, INSTEAD, FELL_BACK, PADDED, LEFT, WHYS };

struct tally {
	struct manifest		*m;
	struct quant_from	*from;
	struct quant_report	*report;
	size_t			 count[64][WHYS], tied;
	unsigned		 block[64];	/* missed; 1: several */
	uint64_t		 bytes, n;
	struct scales		 scales;
};

static bool
convertible(const struct type *t)
{
	return !(t->flags & TYPE_INTEGER) && (t->to_f32 || (t->flags & TYPE_WHOLE));
}

static bool
makeable(const struct type *t)
{
	return t->from_f32 || (t->flags & TYPE_WHOLE);
}

static bool
quantized(const struct type *t)
{
	return t->block > 1 || (t->flags & TYPE_WHOLE);
}

/* 8-bit floats of a checkpoint are worth nothing without their scales: these
 * go into the values, and no further. */
static int
use_up(struct tally *y, size_t i, struct err *e)
{
	struct tensor *t;
	size_t k;

	if (!y->scales.of || y->scales.of[i] == NO_SCALE)
		return 0;
	k = y->scales.of[i];
	t = &y->m->tensor[k];
	y->from[i].scale = 1 + k;
	y->from[i].absmax = NULL;	/* without scales */
	y->from[k] = (struct quant_from){ .type = t->type, .bytes = t->bytes,
	    .scale = 1 + i, .used_up = true };
	t->gone = true;
	t->n = t->bytes = 0;
	/* What config.json says of the values is over. */
	return manifest_set(y->m, "quantization_config", NULL, NULL, e);
}

static size_t
type_index(const struct type *type)
{
	size_t i = 0;

	while (types[i] && types[i] != type)
		i++;
	return i;
}

static int
retype(struct tally *y, size_t i, const struct type *type, enum tensor_layout how,
    enum why why, struct err *e)
{
	struct tensor *t = &y->m->tensor[i];

	if (t->type != type) {
		if (!makeable(type) && !y->m->plan)
			return err_set(e, "%s: %s can be read, not made", t->name, type->name);
		y->from[i] = (struct quant_from){ .type = t->type, .bytes = t->bytes,
		    .row_bytes = t->row_bytes, .absmax = t->absmax };
		if (use_up(y, i, e) < 0)
			return -1;
		if (!t->source)
			t->source = t->type;
		if (t->source == type)
			t->source = NULL;
		if (tensor_set(t, type, how, e) < 0)
			return -1;
		t->absmax = NULL;
		y->report->changed++;
	}
	y->from[i].kept = why == KEPT || why == LEFT;
	y->count[type_index(type)][why]++;
	y->bytes += t->bytes;
	y->n += t->n;
	return 0;
}

static int
begin(struct tally *y, struct manifest *m, struct quant_report *r, struct err *e)
{
	*y = (struct tally){ .m = m, .report = r };
	*r = (struct quant_report){ 0 };
	if (!(y->from = calloc(m->ntensor + 1, sizeof *y->from)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < m->ntensor; i++)
		r->bytes_in += m->tensor[i].bytes;
	if (scales_find(m, &y->scales, e) == 0)
		return 0;
	free(y->from);
	return -1;
}

static bool
is_scale(const struct tally *y, size_t i)
{
	return y->scales.whose && y->scales.whose[i] != NO_SCALE;
}

/* Scales whose values stay 8-bit floats. */
static int
keep_scales(struct tally *y, struct err *e)
{
	for (size_t i = 0; i < y->m->ntensor; i++)
		if (is_scale(y, i) && !y->m->tensor[i].gone &&
		    retype(y, i, y->m->tensor[i].type, TENSOR_ROWS, LEFT, e) < 0)
			return -1;
	return 0;
}

void
quant_report_release(struct quant_report *r)
{
	buf_release(&r->text);
	buf_release(&r->warnings);
}

/* "15 Q4_K, 6 F32 kept, 2 Q5_0 (fallback: ...), 4.63 bits per weight" */
static struct quant_from *
finish(struct tally *y, int r, struct err *e)
{
	static const char *const why[WHYS] = {
		[KEPT] = " kept", [INSTEAD] = " instead", [LEFT] = " left as they are",
		[FELL_BACK] = "fallback:", [PADDED] = "padded:",
	};
	struct buf *b = &y->report->text;
	const char *comma = "";

	scales_release(&y->scales);
	for (size_t w = 0; r == 0 && w < WHYS; w++)
		for (size_t i = 0; types[i]; i++) {
			if (!y->count[i][w])
				continue;
			buf_printf(b, "%s%zu %s", comma, y->count[i][w], types[i]->name);
			if (w == FELL_BACK || w == PADDED) {
				buf_printf(b, " (%s rows not ", why[w]);
				if (y->block[i] > 1)
					buf_printf(b, "multiples of %u)", y->block[i]);
				else
					buf_str(b, "whole blocks)");
			} else if (why[w]) {
				buf_str(b, why[w]);
			}
			comma = ", ";
		}
	if (r == 0 && y->tied)
		buf_printf(b, "%s%zu tied", comma, y->tied);
	if (r == 0 && y->n)
		buf_printf(b, ", %.2f bits per weight", (double)y->bytes * 8 / (double)y->n);
	buf_put(b, "", 1);
	if (r == 0 && (r = buf_check(b, e)) == 0 &&
	    (r = buf_check(&y->report->warnings, e)) == 0)
		return y->from;
	quant_report_release(y->report);
	free(y->from);
	return NULL;
}

/* Rows that are not whole blocks: another type, or a layout for them. */
static int
fit(struct tally *y, const struct tensor *t, const struct quant_opts *o,
    const struct type **type, enum tensor_layout *how, enum why *why, struct err *e)
{
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1;
	const struct type *wanted = *type;
	unsigned *block;

	if ((wanted->flags & TYPE_FLAT) || cols % wanted->block == 0 || wanted == t->type)
		return 0;
	*why = o->fallback == FALLBACK_PAD ? PADDED : FELL_BACK;
	if (o->fallback == FALLBACK_PAD)
		*how = TENSOR_PADDED;
	else if (o->fallback == FALLBACK_F16)
		*type = &type_f16;
	else if (o->fallback == FALLBACK_ERROR || !(*type = fallback(wanted, cols)))
		return err_set(e, "%s: rows of %" PRIu64 " are not whole %s blocks of %u"
		    " (--fallback=f16 or pad)", t->name, cols, wanted->name, wanted->block);
	block = &y->block[type_index(*type)];
	*block = *block == 0 || *block == wanted->block ? wanted->block : 1;
	return 0;
}

/* aprender multiplies padded rows, but does not look them up: a mix leaves an
 * embedding, which may be the output too, in F16. */
static bool
looked_up(const struct tensor *t, const struct quant_opts *o)
{
	const struct recipe *r = o->recipe;
	const char *role = tensor_role(t);

	return o->rules == RULES_GGML && o->fallback == FALLBACK_PAD && !o->pure && !r->bare &&
	    r->base && t->ndim == 2 && t->dim[1] % r->base->block != 0 &&
	    (!strcmp(role, "token_embd.weight") || !strcmp(role, "output.weight"));
}

static int
decide(struct tally *y, struct resolver *s, size_t i, const struct quant_opts *o,
    struct err *e)
{
	struct tensor *t = &y->m->tensor[i];
	struct decision d = { .type = o->recipe->base };
	const struct type *wanted;
	enum tensor_layout how = TENSOR_ROWS;
	enum why why = CHOSEN;
	bool needs;

	if (is_scale(y, i))
		return 0;	/* as its values go */
	if (t->tied_to) {
		y->tied++;
		return 0;
	}
	if (!convertible(t->type))
		return retype(y, i, t->type, how, LEFT, e);
	if (o->rules == RULES_APR && apr_keeps_f32(t, d.type)) {
		d.type = &type_f32;
		why = INSTEAD;
	} else if (o->rules == RULES_LATTICE && !lattice_quantizes(t->name)) {
		d.type = &type_f16;
		why = INSTEAD;
	} else if (o->rules == RULES_GGML && resolver_decide(s, t, &d, e) < 0) {
		return -1;
	}
	if (d.type && !d.exact && looked_up(t, o)) {
		d.type = &type_f16;
		why = INSTEAD;
	}
	if (!d.type)
		return retype(y, i, t->type, how, KEPT, e);
	wanted = d.type;
	if (why == CHOSEN && !d.exact && fit(y, t, o, &d.type, &how, &why, e) < 0)
		return -1;
	if (t->type != d.type && quantized(t->type) && !o->requantize &&
	    !same_numbers(t->type, d.type, t->ndim ? t->dim[t->ndim - 1] : 1))
		return err_set(e, "%s: is %s already: not made %s from that without"
		    " --allow-requantize", t->name, t->type->name, d.type->name);
	needs = t->type != d.type && resolver_needs_weights(s, t, d.type);
	if (needs && !o->imatrix) {
		err_set(e, "%s: %s needs an importance matrix (--imatrix)", t->name,
		    d.type->name);
		if (!y->m->plan)
			return -1;
		buf_put(&y->report->warnings, e->msg, strlen(e->msg) + 1);
	}
	if (retype(y, i, d.type, how, why, e) < 0)
		return -1;
	y->from[i].needs_qw = needs;
	if (why == FELL_BACK || why == PADDED)
		y->from[i].wanted = wanted;
	return 0;
}

struct quant_from *
quant_apply(struct manifest *m, const struct quant_opts *o, struct quant_report *rep,
    struct err *e)
{
	struct resolver *s = NULL;
	size_t *visit = NULL;
	struct tally y;
	int r = -1;

	if (o->rules == RULES_LATTICE && m->convention && strcmp(m->convention, "hf")) {
		err_set(e, "lattice's rules go by Hugging Face's names: apr-cat --as hf");
		return NULL;
	}
	if (arch_roles(m, e) < 0 || begin(&y, m, rep, e) < 0)
		return NULL;
	if ((visit = resolver_order(m, e)) && (s = resolver_new(m, o, e)))
		r = 0;
	for (size_t i = 0; r == 0 && i < m->ntensor; i++)
		r = decide(&y, s, visit[i], o, e);
	if (r == 0)
		r = keep_scales(&y, e);
	if (r == 0) {
		resolver_lint(s, &rep->warnings);
		r = keys_set(m, o, e);
	}
	resolver_free(s);
	free(visit);
	return finish(&y, r, e);
}

struct quant_from *
dequant_apply(struct manifest *m, const struct type *type, bool all,
    struct quant_report *rep, struct err *e)
{
	struct tally y;
	int r = 0;

	if (arch_roles(m, e) < 0 || begin(&y, m, rep, e) < 0)
		return NULL;
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];

		if (is_scale(&y, i))
			continue;
		if (t->tied_to)
			y.tied++;
		else if (!convertible(t->type))
			r = retype(&y, i, t->type, TENSOR_ROWS, LEFT, e);
		else if (!all && type != &type_f32 && quant_never(t))
			r = retype(&y, i, &type_f32, TENSOR_ROWS, KEPT, e);
		else
			r = retype(&y, i, type, TENSOR_ROWS, CHOSEN, e);
	}
	if (r == 0)
		r = keep_scales(&y, e);
	if (r == 0 && rep->changed)
		r = keys_set_u32(m, "general.file_type", (uint32_t)type_file_type(type), e);
	return finish(&y, r, e);
}
