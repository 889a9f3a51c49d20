/* SPDX-License-Identifier: MIT */
/* rules.c -- which tensors get which type, by name and shape alone. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <apr/quant.h>

/*
 * Ends of names, each from a dot (or the name's begin) on; what begins with
 * '_' from anywhere; '#' is a number.  GGUF's names, then Hugging Face's and
 * aprender's for the same things.
 */
static const char *const never[] = {
	"_norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight",
	"position_embd.weight", "token_types.weight", "ssm_conv1d.weight",
	"shortconv.conv.weight", "ffn_gate_tid2eid.weight",
	"indexer.k_proj.weight", "indexer.q_proj.weight", "attn_rel_b.weight",
	"altup_proj.weight", "altup_unembd_proj.weight", "altup_router.weight",
	"altup_correct_coef.weight", "altup_correct_scale.weight",
	"altup_predict_coef.weight", "laurel_l.weight", "laurel_r.weight",
	"per_layer_model_proj.weight",
	"time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight",
	"time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight",
	"time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight",
	"time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight",
	"time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
	"time_mix_lerp_fused.weight",
	"sam.pos_embd.weight", "sam.neck.#.weight", "sam.net_#.weight",
	"rel_pos_h.weight", "rel_pos_w.weight", "rel_pos.weight",
	"patch_embd.weight", "patch_merger.weight", "a.rvq.codebook.weight",
	"mm.a.code_embd.weight",

	"norm.weight", "_layernorm.weight", "layernorm.weight",
	"ln_1.weight", "ln_2.weight", "ln_f.weight",
	"mlp.gate.weight", "block_sparse_moe.gate.weight",
	"mlp.shared_expert_gate.weight", "linear_attn.conv1d.weight",
	"wpe.weight", "position_embedding.weight",
};

/* Weights all the same: stacks of experts have no suffix. */
static const char *const weights[] = {
	"mlp.experts.gate_up_proj", "mlp.experts.down_proj",
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Both from their ends backwards. */
static bool
ends_with(const char *name, const char *tail)
{
	const char *n = name + strlen(name), *t = tail + strlen(tail);

	while (t > tail) {
		if (n == name)
			return false;
		t--;
		n--;
		if (*t == '#' && is_digit(*n))
			while (n > name && is_digit(n[-1]))
				n--;
		else if (*t != *n)
			return false;
	}
	return *tail == '_' || n == name || n[-1] == '.';
}

static bool
listed(const char *name, const char *const *tail, size_t n)
{
	while (n-- > 0)
		if (ends_with(name, tail[n]))
			return true;
	return false;
}

#define LISTED(name, list) listed(name, list, sizeof (list) / sizeof *(list))

/* As ggml counts: the slowest ones do not count while they are 1. */
static unsigned
dims(const struct tensor *t)
{
	unsigned i = 0;

	while (i < t->ndim && t->dim[i] == 1)
		i++;
	return t->ndim - i;
}

bool
quant_never(const struct tensor *t)
{
	size_t n = strlen(t->name);

	if (dims(t) < 2)
		return true;
	if (n < 6 || memcmp(t->name + n - 6, "weight", 6))
		return !LISTED(t->name, weights);
	return LISTED(t->name, never);
}

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
same_name(const char *a, const char *b)
{
	for (;; a++, b++) {
		while (*a == '_')
			a++;
		while (*b == '_')
			b++;
		if ((*a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a) != *b)
			return false;
		if (*a == '\0')
			return true;
	}
}

const char *
quant_mix(const char *name)
{
	static const char *const mix[][2] = {
		{ "q2_k_s", "q2_k" }, { "q3_k_s", "q3_k" }, { "q3_k_m", "q3_k" },
		{ "q3_k_l", "q3_k" }, { "q4_k_s", "q4_k" }, { "q4_k_m", "q4_k" },
		{ "q5_k_s", "q5_k" }, { "q5_k_m", "q5_k" }, { "iq2_m", "q2_k" },
		{ "iq3_xs", "q3_k" }, { "iq3_m", "q3_k" }, { "mxfp4_moe", "mxfp4" },
	};

	for (size_t i = 0; i < sizeof mix / sizeof *mix; i++)
		if (same_name(name, mix[i][0]))
			return mix[i][1];
	return NULL;
}

int
quant_file_type(const struct type *type)
{
	static const struct { const char *name; int number; } known[] = {
		{ "F32", 0 }, { "F16", 1 }, { "BF16", 32 }, { "Q4_0", 2 },
		{ "Q4_1", 3 }, { "Q5_0", 8 }, { "Q5_1", 9 }, { "Q8_0", 7 },
		{ "Q1_0", 40 }, { "Q2_0", 41 }, { "Q2_K", 10 }, { "Q3_K", 12 },
		{ "Q4_K", 15 }, { "Q5_K", 17 }, { "Q6_K", 18 }, { "IQ4_NL", 25 },
		{ "IQ4_XS", 30 }, { "TQ1_0", 36 }, { "TQ2_0", 37 },
		{ "MXFP4", 38 }, { "NVFP4", 39 },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (!strcmp(type->name, known[i].name))
			return known[i].number;
	return -1;
}

/* llama-quantize's table; NULL: it stops.  cols % type->block is not 0. */
static const struct type *
fallback(const struct type *type, uint64_t cols)
{
	static const char *const table[][2] = {
		{ "Q4_K", "Q5_0" }, { "Q5_K", "Q5_1" }, { "Q6_K", "Q8_0" },
		{ "Q2_K", "Q4_0" }, { "Q3_K", "Q4_0" }, { "Q2_0", "Q4_0" },
		{ "TQ1_0", "Q4_0" }, { "TQ2_0", "Q4_0" }, { "IQ4_XS", "IQ4_NL" },
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
enum why { CHOSEN, KEPT, TO_F32, FELL_BACK, PADDED, LEFT, WHYS };

struct tally {
	struct manifest		*m;
	struct quant_from	*from;
	struct quant_report	*report;
	const struct type	*wanted;	/* of all tensors that are made */
	size_t			 count[64][WHYS], tied;
	uint64_t		 bytes, n;
	struct names		*names;		/* built when first wanted */
};

static bool
convertible(const struct type *t)
{
	return !(t->flags & TYPE_INTEGER) && (t->to_f32 || (t->flags & TYPE_WHOLE));
}

static bool
quantized(const struct type *t)
{
	return t->block > 1 || (t->flags & TYPE_WHOLE);
}

/* 8-bit floats of a checkpoint are worth nothing without their scales. */
static int
check_f8(struct tally *y, const struct tensor *t, struct err *e)
{
	static const char *const ends[] = { "_scale_inv", "_scale" };
	char name[TENSOR_NAME + 16];

	if (t->type->block != 1 || t->type->bytes != 1 || (t->type->flags & TYPE_WHOLE))
		return 0;
	if (!y->names) {
		if (!(y->names = names_new(y->m->ntensor, e)))
			return -1;
		for (size_t i = 0; i < y->m->ntensor; i++)
			if (names_add(y->names, y->m->tensor[i].name, i, NULL, e) < 0)
				return -1;
	}
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t k = strlen(t->name);

		if (k > TENSOR_NAME)
			break;
		memcpy(name, t->name, k);
		memcpy(name + k, ends[i], strlen(ends[i]) + 1);
		if (names_find(y->names, name) != SIZE_MAX)
			return err_set(e, "%s: its values want the scales of %s, and"
			    " applying them comes later", t->name, name);
	}
	return 0;
}

static int
retype(struct tally *y, size_t i, const struct type *type, enum tensor_layout how,
    enum why why, struct err *e)
{
	struct tensor *t = &y->m->tensor[i];
	const struct type *const *p = types;

	if (t->type != type) {
		if (check_f8(y, t, e) < 0)
			return -1;
		y->from[i] = (struct quant_from){ .type = t->type, .bytes = t->bytes,
		    .row_bytes = t->row_bytes, .absmax = t->absmax };
		if (!t->source)
			t->source = t->type;
		if (t->source == type)
			t->source = NULL;
		if (tensor_set(t, type, how, e) < 0)
			return -1;
		t->absmax = NULL;
		y->report->changed++;
	}
	while (*p && *p != type)
		p++;
	y->count[p - types][why]++;
	y->bytes += t->bytes;
	y->n += t->n;
	if (why == FELL_BACK || why == PADDED)
		y->from[i].wanted = y->wanted;
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
	return 0;
}

/* "15 Q4_K, 6 F32 kept, 2 Q5_0 (fallback), 4.63 bits per weight" */
static struct quant_from *
finish(struct tally *y, int r, unsigned block, struct err *e)
{
	static const char *const why[WHYS] = {
		[KEPT] = " kept", [TO_F32] = " instead", [LEFT] = " left as they are",
		[FELL_BACK] = "fallback:", [PADDED] = "padded:",
	};
	struct buf *b = &y->report->text;
	const char *comma = "";

	names_free(y->names);
	for (size_t w = 0; r == 0 && w < WHYS; w++)
		for (size_t i = 0; types[i]; i++)
			if (y->count[i][w]) {
				buf_printf(b, "%s%zu %s", comma, y->count[i][w], types[i]->name);
				if (w == FELL_BACK || w == PADDED)
					buf_printf(b, " (%s rows not multiples of %u)",
					    why[w], block);
				else if (why[w])
					buf_str(b, why[w]);
				comma = ", ";
			}
	if (r == 0 && y->tied)
		buf_printf(b, "%s%zu tied", comma, y->tied);
	if (r == 0 && y->n)
		buf_printf(b, ", %.2f bits per weight", (double)y->bytes * 8 / (double)y->n);
	buf_put(b, "", 1);
	if (r == 0 && (r = buf_check(b, e)) == 0)
		return y->from;
	buf_release(b);
	free(y->from);
	return NULL;
}

static int
decide(struct tally *y, size_t i, const struct quant_opts *o, struct err *e)
{
	struct tensor *t = &y->m->tensor[i];
	const struct type *type = o->type;
	uint64_t cols = t->ndim ? t->dim[t->ndim - 1] : 1;
	enum tensor_layout how = TENSOR_ROWS;
	enum why why = CHOSEN;

	if (t->tied_to) {
		y->tied++;
		return 0;
	}
	if (!convertible(t->type))
		return retype(y, i, t->type, how, LEFT, e);
	if (o->rules == RULES_APR && apr_keeps_f32(t, type)) {
		type = &type_f32;
		why = TO_F32;
	} else if (o->rules == RULES_GGML && quant_never(t)) {
		return retype(y, i, t->type, how, KEPT, e);
	} else if (!(type->flags & TYPE_FLAT) && cols % type->block != 0 &&
	    type != t->type) {
		why = FELL_BACK;
		switch (o->fallback) {
		case FALLBACK_PAD:
			how = TENSOR_PADDED;
			why = PADDED;
			break;
		case FALLBACK_F16:
			type = &type_f16;
			break;
		case FALLBACK_TABLE:
			if ((type = fallback(type, cols)))
				break;
			/* FALLTHROUGH */
		default:
			return err_set(e, "%s: rows of %" PRIu64 " are not whole %s blocks"
			    " of %u (--fallback=f16 or pad)", t->name, cols, o->type->name,
			    o->type->block);
		}
	}
	if (t->type != type && quantized(t->type) && !o->requantize)
		return err_set(e, "%s: is %s already: not made %s from that without"
		    " --allow-requantize", t->name, t->type->name, type->name);
	return retype(y, i, type, how, why, e);
}

static int
set_u32(struct manifest *m, const char *key, int value, struct err *e)
{
	char text[] = "00";

	text[0] = (char)('0' + value / 10);
	text[1] = (char)('0' + value % 10);
	return manifest_set(m, key, "u32", value < 10 ? text + 1 : text, e);
}

struct quant_from *
quant_apply(struct manifest *m, const struct quant_opts *o, struct quant_report *rep,
    struct err *e)
{
	int number = quant_file_type(o->type), r = 0;
	struct tally y;

	if (begin(&y, m, rep, e) < 0)
		return NULL;
	y.wanted = o->type;
	for (size_t i = 0; r == 0 && i < m->ntensor; i++)
		r = decide(&y, i, o, e);
	if (r == 0 && number >= 0 &&
	    (r = set_u32(m, "general.quantization_version", 2, e)) == 0)
		r = set_u32(m, "general.file_type", number, e);
	return finish(&y, r, o->type->block, e);
}

struct quant_from *
dequant_apply(struct manifest *m, const struct type *type, bool all,
    struct quant_report *rep, struct err *e)
{
	struct tally y;
	int r = 0;

	if (begin(&y, m, rep, e) < 0)
		return NULL;
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];

		if (t->tied_to)
			y.tied++;
		else if (!convertible(t->type))
			r = retype(&y, i, t->type, TENSOR_ROWS, LEFT, e);
		else if (!all && type != &type_f32 && quant_never(t))
			r = retype(&y, i, &type_f32, TENSOR_ROWS, KEPT, e);
		else
			r = retype(&y, i, type, TENSOR_ROWS, CHOSEN, e);
	}
	if (r == 0 && rep->changed)
		r = set_u32(m, "general.file_type", quant_file_type(type), e);
	return finish(&y, r, 1, e);
}
