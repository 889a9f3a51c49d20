/* SPDX-License-Identifier: MIT */
/* keys.c -- hyper-parameters as GGUF's keys. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "num.h"

struct keys {
	const struct arch_model *m;
	const struct arch_about *about;
	arch_put_key	*put;
	void		*ctx;
};

static int
put(const struct keys *y, const char *key, const char *type, const char *value, struct err *e)
{
	char name[160];

	snprintf(name, sizeof name, "%s.%s", y->m->arch->name, key);
	return y->put(y->ctx, name, type, value, e);
}

static int
put_u32(const struct keys *y, const char *key, uint64_t v, struct err *e)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, v);
	return put(y, key, "u32", text, e);
}

static int
put_f32(const struct keys *y, const char *key, double v, struct err *e)
{
	char text[40];

	num_float(text, v, 0);
	return put(y, key, "f32", text, e);
}

static int
put_string(const struct keys *y, const char *key, const char *s, struct err *e)
{
	struct buf b = { 0 };
	int r;

	buf_json(&b, s, strlen(s));
	buf_put(&b, "", 1);
	r = buf_check(&b, e) < 0 ? -1 : put(y, key, "string", (char *)b.p, e);
	buf_release(&b);
	return r;
}

/* A member as it is: a whole number, or any. */
static int
plain(const struct keys *y, const struct arch_key *k, struct err *e)
{
	const struct doc_item *i = doc_find(&y->m->doc, k->hf);
	uint64_t v;

	if (!i)
		return 0;
	if (i->kind != JSON_NUMBER)
		return err_set(e, "%s: %s is no number", k->hf, i->text);
	if (!strcmp(k->type, "f32"))
		return put(y, k->gguf, k->type, i->text, e);
	if (!doc_u64(&y->m->doc, k->hf, &v) || v > UINT32_MAX)
		return err_set(e, "%s: %s is no whole number below 2^32", k->hf, i->text);
	return put_u32(y, k->gguf, v, e);
}

static double
number(const struct keys *y, const char *path)
{
	double v = 0;

	return doc_double(&y->m->doc, path, &v) ? v : 0;
}

static int
maybe_f32(const struct keys *y, const char *key, const char *path, struct err *e)
{
	return doc_find(&y->m->doc, path) ? put_f32(y, key, number(y, path), e) : 0;
}

static int
scaling(const struct keys *y, struct err *e)
{
	const char *type = doc_string(&y->m->doc, "rope_parameters.rope_type");
	uint64_t v;

	if (!type)
		return 0;
	if (!strcmp(type, "longrope") || !strcmp(type, "su"))
		return put_string(y, "rope.scaling.type", "longrope", e);
	if (strcmp(type, "linear") && strcmp(type, "yarn"))
		return 0;
	if (put_string(y, "rope.scaling.type", type, e) < 0 ||
	    put_f32(y, "rope.scaling.factor", number(y, "rope_parameters.factor"), e) < 0)
		return -1;
	if (!strcmp(type, "linear"))
		return 0;
	if (doc_u64(&y->m->doc, "rope_parameters.original_max_position_embeddings", &v) &&
	    put_u32(y, "rope.scaling.original_context_length", v, e) < 0)
		return -1;
	return maybe_f32(y, "rope.scaling.yarn_ext_factor",
	    "rope_parameters.extrapolation_factor", e) < 0 ||
	    maybe_f32(y, "rope.scaling.yarn_attn_factor",
	    "rope_parameters.attention_factor", e) < 0 ||
	    maybe_f32(y, "rope.scaling.yarn_beta_fast", "rope_parameters.beta_fast", e) < 0 ||
	    maybe_f32(y, "rope.scaling.yarn_beta_slow", "rope_parameters.beta_slow", e) < 0 ?
	    -1 : 0;
}

/* Four numbers, zeros behind those that there are. */
static int
sections(const struct keys *y, const struct arch_key *k, struct err *e)
{
	const char *list = "[11,11,10,0]";
	char text[128];
	size_t n = 0, count = doc_array(&y->m->doc, k->hf);
	double v;

	if (k->how == KEY_MROPE && count == 0)
		return 0;
	if (k->how == KEY_SECTIONS && count > 0)
		return 0;	/* written as KEY_MROPE */
	for (size_t i = 0; count > 0 && i < 4; i++) {
		if (!doc_element(&y->m->doc, k->hf, i, &v) || !(fabs(v) < 1e6))
			v = 0;
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%.0f", i ? "," : "[", v);
	}
	if (count > 0) {
		snprintf(text + n, sizeof text - n, "]");
		list = text;
	}
	return put(y, k->gguf, k->type, list, e);
}

/* Which layers are recurrent: as the list says, or all but each fourth. */
static int
recurrent(const struct keys *y, const struct arch_key *k, struct err *e)
{
	const struct doc_item *list = doc_find(&y->m->doc, k->hf);
	uint64_t every = 4;
	struct buf b = { 0 };
	int r = -1;

	(void)doc_u64(&y->m->doc, "full_attention_interval", &every);
	buf_str(&b, "[");
	if (list) {
		/* An array of strings, of which the texts are known. */
		static const char linear[] = "\"linear_attention\"";
		const char *s = list->text + 1;

		while (*s == '"') {
			buf_printf(&b, "%s%s", b.len > 1 ? "," : "",
			    strncmp(s, linear, sizeof linear - 1) ? "false" : "true");
			s += strcspn(s + 1, "\"") + 2;
			s += *s == ',';
		}
	} else {
		for (uint64_t i = 1; every > 0 && i <= y->m->layers; i++)
			buf_printf(&b, "%s%s", i > 1 ? "," : "", i % every ? "true" : "false");
	}
	buf_str(&b, "]");
	buf_put(&b, "", 1);
	if (buf_check(&b, e) == 0)
		r = put(y, k->gguf, k->type, (char *)b.p, e);
	buf_release(&b);
	return r;
}

/* What most of the weights are, as llama.cpp numbers it. */
static int
file_type(const struct keys *y, struct err *e)
{
	uint64_t sum[TYPE_FILE_TYPES] = { 0 };
	int most = 0;
	char text[16];

	for (size_t i = 0; i < y->about->nt; i++) {
		const struct tensor *t = &y->about->t[i];
		int number = type_file_type(t->type);

		if (number >= 0 && !arch_keeps_f32(t->name, t->ndim))
			sum[number] += t->n;
	}
	for (int i = 0; i < TYPE_FILE_TYPES; i++)
		if (sum[i] > sum[most])
			most = i;
	snprintf(text, sizeof text, "%d", most);
	return y->put(y->ctx, "general.file_type", "u32", text, e);
}

static int
put_row(const struct keys *y, const struct arch_key *k, struct err *e)
{
	const struct arch_model *m = y->m;
	double part = 1;
	uint64_t v = 0;

	switch (k->how) {
	case KEY_PLAIN:
		if (!strcmp(k->hf, "head_dim") && (m->arch->flags & ARCH_NO_HEAD_DIM))
			return 0;
		return plain(y, k, e);
	case KEY_NONZERO:
		return number(y, k->hf) != 0 ? plain(y, k, e) : 0;
	case KEY_OR_ZERO:
		return doc_find(&m->doc, k->hf) ? plain(y, k, e) : put_u32(y, k->gguf, 0, e);
	case KEY_FILE_TYPE:
		return file_type(y, e);
	case KEY_ROPE_SCALING:
		return scaling(y, e);
	case KEY_MROPE:
	case KEY_SECTIONS:
		return sections(y, k, e);
	case KEY_HEAD_DIM:
		return m->head_dim ? put_u32(y, k->gguf, m->head_dim, e) : 0;
	case KEY_ROTARY_DIM:
		(void)doc_double(&m->doc, k->hf, &part);
		return put_u32(y, k->gguf, (uint64_t)((double)m->head_dim * part), e);
	case KEY_PHI_DIM:
		(void)doc_double(&m->doc, k->hf, &part);
		return m->heads ? put_u32(y, k->gguf,
		    (uint64_t)((double)m->hidden * part) / m->heads, e) : 0;
	case KEY_FOUR:
		return doc_u64(&m->doc, k->hf, &v) ? put_u32(y, k->gguf, 4 * v, e) : 0;
	case KEY_SSM_INNER:
		return put_u32(y, k->gguf, m->v_heads * m->v_dim, e);
	case KEY_RECURRENT:
		return recurrent(y, k, e);
	}
	return 0;
}

/* Phi-3's: how much longer the context is than it was in training. */
static int
attn_factor(const struct keys *y, struct err *e)
{
	const struct doc *d = &y->m->doc;
	const char *type = doc_string(d, "rope_parameters.rope_type");
	double old = number(y, "original_max_position_embeddings"), s, v = 1;

	if (!(y->m->arch->flags & ARCH_ROPE_FACTORS) ||
	    !doc_find(d, "rope_parameters.long_factor"))
		return 0;
	if (!(old > 1))
		return err_set(e, "original_max_position_embeddings: %g", old);
	s = number(y, "max_position_embeddings") / old;
	if (s > 1)
		v = type && !strcmp(type, "yarn") ? 0.1 * arch_log(s) + 1 :
		    sqrt(1 + arch_log(s) / arch_log(old));
	return put_f32(y, "rope.scaling.attn_factor", v, e);
}

int
arch_put_keys(const struct arch_model *m, const struct arch_about *about, arch_put_key *fn,
    void *ctx, struct err *e)
{
	struct keys y = { m, about, fn, ctx };
	char arch[64];

	for (size_t i = 0; i < about->nt; i++)
		if (strstr(about->t[i].name, "_exps.") && (!doc_find(&m->doc, "num_local_experts") ||
		    !doc_find(&m->doc, "num_experts_per_tok")))
			return err_set(e, "%s: the metadata do not say how many experts there are,"
			    " and how many of them a token takes (num_experts, num_experts_per_tok)",
			    about->t[i].name);
	snprintf(arch, sizeof arch, "\"%s\"", m->arch->name);
	if (fn(ctx, "general.architecture", "string", arch, e) < 0 || attn_factor(&y, e) < 0 ||
	    fn(ctx, "general.type", "string", "\"model\"", e) < 0 ||
	    arch_put_general(m, about, fn, ctx, e) < 0)
		return -1;
	for (const struct arch_key *k = m->arch->key; k->gguf; k++)
		if (put_row(&y, k, e) < 0)
			return -1;
	return fn(ctx, "general.quantization_version", "u32", "2", e);
}
