/* SPDX-License-Identifier: MIT */
/*
 * config.c -- hyper-parameters in one language, whoever wrote them: that of
 * the newest config.json, old spellings renamed and defaults filled in.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "num.h"

const struct arch *const archs[] = {
	&arch_llama, &arch_qwen2, &arch_qwen3, &arch_qwen3moe, &arch_qwen35, &arch_gpt2,
	&arch_gemma, &arch_gemma2, &arch_gemma3, &arch_phi3, &arch_olmo2, &arch_granite,
	NULL
};

const char *
arch_known(void)
{
	static char text[256];
	size_t n = 0;

	/* The same text whoever writes it, so that threads may. */
	for (size_t i = 0; archs[i] && n < sizeof text; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", i ? ", " : "",
		    archs[i]->name);
	return text;
}

/* By class, else by model_type. */
static bool
find_class(struct arch_model *m, const char *class, const char *type)
{
	for (int by = 0; by < 2; by++)
		for (size_t i = 0; archs[i]; i++)
			for (const struct arch_class *c = archs[i]->class; c->name; c++)
				if (by == 0 ? class && !strcmp(c->name, class) :
				    type && !strcmp(c->type, type)) {
					m->arch = archs[i];
					m->class = c;
					return true;
				}
	return false;
}

static const char *
or_nothing(const char *s)
{
	return s ? s : "nothing";
}

/* A member under another name, unless it has that already. */
static int
rename_one(struct doc *d, const char *from, const char *to, struct err *e)
{
	const struct doc_item *i = doc_find(d, from);

	return i && !doc_find(d, to) ? doc_put(d, to, i->kind, i->text, e) : 0;
}

static int
ropes(struct arch_model *m, struct err *e)
{
	struct doc *d = &m->doc;

	if (m->arch->flags & ARCH_TWO_ROPES) {
		if (rename_one(d, "rope_parameters.sliding_attention.rope_theta",
		    "rope_local_base_freq", e) < 0 ||
		    doc_copy(d, "rope_parameters.full_attention.", "rope_parameters.", false, e) < 0)
			return -1;
	}
	if (doc_copy(d, "rope_scaling.", "rope_parameters.", false, e) < 0 ||
	    rename_one(d, "rope_parameters.type", "rope_parameters.rope_type", e) < 0 ||
	    rename_one(d, "rope_theta", "rope_parameters.rope_theta", e) < 0 ||
	    rename_one(d, "partial_rotary_factor", "rope_parameters.partial_rotary_factor", e) < 0 ||
	    rename_one(d, "original_max_position_embeddings",
	    "rope_parameters.original_max_position_embeddings", e) < 0 ||
	    rename_one(d, "rope_parameters.original_max_position_embeddings",
	    "original_max_position_embeddings", e) < 0)
		return -1;
	if (!doc_find(d, "rope_parameters.rope_type"))
		return doc_put(d, "rope_parameters.rope_type", JSON_STRING, "default", e);
	return 0;
}

static uint64_t
number(const struct arch_model *m, const char *path)
{
	uint64_t v = 0;

	return doc_u64(&m->doc, path, &v) ? v : 0;
}

static int
defaults(struct arch_model *m, struct err *e)
{
	struct doc *d = &m->doc;

	for (const char *const *p = m->class->defaults; *p; p += 2) {
		uint64_t hidden = number(m, "hidden_size"), heads = number(m, "num_attention_heads");
		int r = 0;

		/* aprender drops these; what is lost is not made up. */
		if (doc_find(d, p[0]) || (m->partial && strstr(p[0], "expert")))
			continue;
		if (p[1][0] == '=')
			r = rename_one(d, p[1] + 1, p[0], e);
		else if (p[1][0] != '/')
			r = doc_put(d, p[0], JSON_NUMBER, p[1], e);
		else if (heads > 0)
			r = doc_put_u64(d, p[0], hidden / heads, e);
		if (r < 0)
			return -1;
		if (p[1][0] != '=' && m->npresumed < sizeof m->presumed / sizeof *m->presumed)
			m->presumed[m->npresumed++] = p[0];
	}
	return 0;
}

/* Old words, then defaults, then the numbers that layouts go by. */
static int
complete(struct arch_model *m, struct err *e)
{
	struct doc *d = &m->doc;

	for (const char *const *p = m->arch->rename; p && *p; p += 2)
		if (rename_one(d, p[1], p[0], e) < 0)
			return -1;
	if (rename_one(d, "num_experts", "num_local_experts", e) < 0 ||
	    ropes(m, e) < 0 || defaults(m, e) < 0)
		return -1;
	m->layers = number(m, "num_hidden_layers");
	m->hidden = number(m, "hidden_size");
	m->heads = number(m, "num_attention_heads");
	m->kv_heads = number(m, "num_key_value_heads");
	m->vocab = number(m, "vocab_size");
	m->experts = number(m, "num_local_experts");
	m->k_heads = number(m, "linear_num_key_heads");
	m->k_dim = number(m, "linear_key_head_dim");
	m->v_heads = number(m, "linear_num_value_heads");
	m->v_dim = number(m, "linear_value_head_dim");
	m->head_dim = m->arch->flags & ARCH_NO_HEAD_DIM ? 0 : number(m, "head_dim");
	if (m->head_dim == 0 && m->heads > 0)
		m->head_dim = m->hidden / m->heads;
	if (m->layers > 1u << 16 || m->heads > 1u << 16 || m->kv_heads > 1u << 16 ||
	    m->hidden > 1u << 28 || m->head_dim > 1u << 20 || m->experts > 1u << 16 ||
	    m->vocab > 1u << 30 || m->k_heads > 1u << 16 || m->v_heads > 1u << 16 ||
	    m->k_dim > 1u << 20 || m->v_dim > 1u << 20)
		return err_set(e, "%s: hyper-parameters that no model has", m->arch->name);
	return 0;
}

int
arch_read_hf(struct arch_model *m, const void *text, size_t n, bool *unknown, struct err *e)
{
	struct doc *d = &m->doc;
	const char *class, *type;

	if (doc_read(d, "config.json", text, n, e) < 0)
		return -1;
	class = doc_element_string(d, "architectures", 0);
	if (doc_copy(d, "text_config.", "", true, e) < 0)
		return -1;
	type = doc_string(d, "model_type");
	if (!find_class(m, class, type)) {
		*unknown = true;
		return err_set(e, "config.json: the architecture is %s (%s), known are: %s",
		    or_nothing(class), or_nothing(type), arch_known());
	}
	return complete(m, e);
}

/* One number out of a list that may have one a layer. */
static int
scalar(struct doc *d, const char *path, const struct doc_item *i, bool real, struct err *e)
{
	char text[40];
	double v = 0, w;

	if (i->kind == JSON_ARRAY) {
		size_t n = doc_array(d, path);

		for (size_t k = 0; k < n; k++)
			if (!doc_element(d, path, k, &w) || (k > 0 && w != v))
				return 0;
			else
				v = w;
		if (n == 0)
			return 0;
	} else if (i->kind == JSON_NUMBER) {
		v = strtod(i->text, NULL);
	} else {
		return 0;
	}
	if (real)
		num_float(text, v, 1);
	else
		snprintf(text, sizeof text, "%.0f", v);
	return doc_put(d, path, JSON_NUMBER, text, e);
}

static int
put_scaled(struct doc *d, const char *path, double v, struct err *e)
{
	char text[40];

	num_float(text, v, 0);
	return doc_put(d, path, JSON_NUMBER, text, e);
}

/* From GGUF's words for scaling to config.json's. */
static int
read_scaling(struct doc *d, const char *a, struct err *e)
{
	static const char *const pairs[][2] = {
		{ "type", "rope_type" }, { "factor", "factor" },
		{ "original_context_length", "original_max_position_embeddings" },
		{ "yarn_ext_factor", "extrapolation_factor" },
		{ "yarn_attn_factor", "attention_factor" },
		{ "yarn_beta_fast", "beta_fast" }, { "yarn_beta_slow", "beta_slow" },
	};
	char from[128], to[128];

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		snprintf(from, sizeof from, "%s.rope.scaling.%s", a, pairs[i][0]);
		snprintf(to, sizeof to, "rope_parameters.%s", pairs[i][1]);
		if (rename_one(d, from, to, e) < 0)
			return -1;
	}
	return 0;
}

static int
read_sections(struct doc *d, const char *path, bool usual, struct err *e)
{
	static const double known[] = { 11, 11, 10, 0 };
	struct buf b = { 0 };
	size_t n = doc_array(d, path), keep = 0;
	bool same = n == 4;
	double v;
	int r;

	for (size_t k = 0; k < n; k++) {
		if (!doc_element(d, path, k, &v))
			return 0;
		same = same && v == known[k];
		if (v != 0)
			keep = k + 1;
	}
	if (n == 0 || (usual && same))
		return 0;
	buf_str(&b, "[");
	for (size_t k = 0; k < keep && doc_element(d, path, k, &v); k++)
		buf_printf(&b, "%s%.0f", k ? "," : "", v);
	buf_str(&b, "]");
	buf_put(&b, "", 1);
	if ((r = buf_check(&b, e)) == 0)
		r = doc_put(d, "rope_parameters.mrope_section", JSON_ARRAY, (char *)b.p, e);
	buf_release(&b);
	return r;
}

static int
read_recurrent(struct doc *d, const char *path, struct err *e)
{
	struct buf b = { 0 };
	size_t n = doc_array(d, path);
	double v;
	int r;

	if (n == 0)
		return 0;
	buf_str(&b, "[");
	for (size_t k = 0; k < n && doc_element(d, path, k, &v); k++)
		buf_printf(&b, "%s\"%s\"", k ? "," : "",
		    v != 0 ? "linear_attention" : "full_attention");
	buf_str(&b, "]");
	buf_put(&b, "", 1);
	if ((r = buf_check(&b, e)) == 0)
		r = doc_put(d, "layer_types", JSON_ARRAY, (char *)b.p, e);
	buf_release(&b);
	return r;
}

static int
read_key(struct arch_model *m, const struct arch_key *k, struct err *e)
{
	struct doc *d = &m->doc;
	const struct doc_item *i;
	uint64_t v = 0, by;
	char path[160];

	snprintf(path, sizeof path, "%s.%s", m->arch->name, k->gguf);
	if (k->how == KEY_ROPE_SCALING)
		return read_scaling(d, m->arch->name, e);
	if (k->how == KEY_FILE_TYPE || !(i = doc_find(d, path)))
		return 0;
	if (k->how == KEY_MROPE || k->how == KEY_SECTIONS) {
		bool usual = false;

		for (const struct arch_key *o = m->arch->key; o->gguf; o++)
			usual |= o->how == KEY_SECTIONS;
		return read_sections(d, path, usual, e);
	}
	if (k->how == KEY_RECURRENT)
		return read_recurrent(d, path, e);
	if (scalar(d, path, i, !strcmp(k->type, "f32"), e) < 0)
		return -1;
	switch (k->how) {
	case KEY_HEAD_DIM:
		by = number(m, "num_attention_heads");
		if (doc_u64(d, path, &v) && by > 0 && v != number(m, "hidden_size") / by)
			return rename_one(d, path, k->hf, e);
		return 0;
	case KEY_ROTARY_DIM:
		by = number(m, "head_dim");
		return doc_u64(d, path, &v) && by > 0 ?
		    put_scaled(d, k->hf, (double)v / (double)by, e) : 0;
	case KEY_PHI_DIM:
		by = number(m, "hidden_size");
		return doc_u64(d, path, &v) && by > 0 ? put_scaled(d, k->hf,
		    (double)v * (double)number(m, "num_attention_heads") / (double)by, e) : 0;
	case KEY_FOUR:
		if (doc_u64(d, path, &v) && v != 4 * number(m, k->hf))
			return rename_one(d, path, "intermediate_size", e);
		return 0;
	case KEY_SSM_INNER:
		by = number(m, "linear_num_value_heads");
		return doc_u64(d, path, &v) && by > 0 ? doc_put_u64(d, k->hf, v / by, e) : 0;
	case KEY_OR_ZERO:
		return doc_u64(d, path, &v) && v > 0 ? rename_one(d, path, k->hf, e) : 0;
	default:
		return rename_one(d, path, k->hf, e);
	}
}

int
arch_read_gguf(struct arch_model *m, const void *text, size_t n, bool *unknown,
    struct err *e)
{
	const char *name;
	char path[160];

	if (doc_read(&m->doc, "metadata", text, n, e) < 0)
		return -1;
	name = doc_string(&m->doc, "general.architecture");
	for (size_t i = 0; name && archs[i]; i++)
		if (!strcmp(archs[i]->name, name))
			m->arch = archs[i];
	if (!m->arch) {
		*unknown = true;
		return err_set(e, "general.architecture is %s, known are: %s",
		    or_nothing(name), arch_known());
	}
	for (const struct arch_class *c = m->arch->class; c->name && !m->class; c++) {
		snprintf(path, sizeof path, "%s.%s", m->arch->name, c->if_key ? c->if_key : "");
		if (!c->if_key || doc_find(&m->doc, path))
			m->class = c;
	}
	for (const struct arch_key *k = m->arch->key; k->gguf; k++)
		if (read_key(m, k, e) < 0)
			return -1;
	return complete(m, e);
}

/* aprender's words, and those that it takes for the same. */
static const char *const apr_words[][2] = {
	{ "hidden_size", "hidden_dim" }, { "hidden_size", "d_model" },
	{ "hidden_size", "n_embd" },
	{ "num_hidden_layers", "num_layers" }, { "num_hidden_layers", "n_layers" },
	{ "num_hidden_layers", "n_layer" },
	{ "num_attention_heads", "num_heads" }, { "num_attention_heads", "n_heads" },
	{ "num_attention_heads", "n_head" },
	{ "num_key_value_heads", "num_kv_heads" }, { "num_key_value_heads", "n_kv_heads" },
	{ "vocab_size", "n_vocab" },
	{ "intermediate_size", "ffn_dim" }, { "intermediate_size", "intermediate_dim" },
	{ "intermediate_size", "n_inner" },
	{ "max_position_embeddings", "max_seq_len" },
	{ "max_position_embeddings", "context_length" },
	{ "max_position_embeddings", "n_ctx" },
	{ "rms_norm_eps", "layer_norm_eps" }, { "rms_norm_eps", "norm_eps" },
};

int
arch_read_apr(struct arch_model *m, const void *text, size_t n, bool *unknown,
    struct err *e)
{
	struct doc *d = &m->doc;
	const char *class, *type;

	m->partial = true;
	if (doc_read(d, "metadata", text, n, e) < 0 ||
	    doc_copy(d, "hf_config.", "", false, e) < 0 ||
	    doc_copy(d, "linear_attn_hparams.", "", false, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof apr_words / sizeof *apr_words; i++)
		if (rename_one(d, apr_words[i][1], apr_words[i][0], e) < 0)
			return -1;
	class = doc_string(d, "hf_architecture");
	type = doc_string(d, "hf_model_type");
	if (!type)
		type = doc_string(d, "architecture");
	if (!find_class(m, class, type)) {
		for (size_t i = 0; type && archs[i]; i++)
			if (!strcmp(archs[i]->name, type)) {
				m->arch = archs[i];
				m->class = archs[i]->class;
			}
		if (!m->arch) {
			*unknown = true;
			return err_set(e, "the architecture is %s, known are: %s",
			    or_nothing(type), arch_known());
		}
		/* Of several classes the one that always holds. */
		while (m->class->if_key && !doc_find(d, "num_experts"))
			m->class++;
	}
	/* There is one word for both kinds of norm. */
	if (m->arch == &arch_gpt2 &&
	    rename_one(d, "rms_norm_eps", "layer_norm_epsilon", e) < 0)
		return -1;
	return complete(m, e);
}

struct arch_model *
arch_open(const char *source, const void *json, size_t n, bool *unknown, struct err *e)
{
	struct arch_model *m = calloc(1, sizeof *m);
	int r;

	*unknown = false;
	if (!m) {
		err_set(e, "out of memory");
		return NULL;
	}
	r = !strcmp(source, "gguf") ? arch_read_gguf(m, json, n, unknown, e) :
	    !strcmp(source, "apr") ? arch_read_apr(m, json, n, unknown, e) :
	    arch_read_hf(m, json, n, unknown, e);
	if (r < 0) {
		arch_close(m);
		return NULL;
	}
	return m;
}

void
arch_close(struct arch_model *m)
{
	if (m)
		doc_release(&m->doc);
	free(m);
}

const char *
arch_gguf(const struct arch_model *m)
{
	return m->arch->name;
}

bool
arch_number(const struct arch_model *m, const char *key, uint64_t *v)
{
	for (const struct arch_key *k = m->arch->key; k->gguf; k++)
		if (k->how == KEY_PLAIN && !strcmp(k->gguf, key))
			return doc_u64(&m->doc, k->hf, v);
	return false;
}

bool
arch_presumed(const struct arch_model *m, const char *key)
{
	size_t n = strlen(m->arch->name);

	if (strncmp(key, m->arch->name, n) || key[n] != '.')
		return false;
	for (const struct arch_key *k = m->arch->key; k->gguf; k++)
		for (size_t i = 0; !strcmp(k->gguf, key + n + 1) && i < m->npresumed; i++)
			if (!strcmp(k->hf, m->presumed[i]))
				return true;
	return false;
}

enum vocab_family
arch_family(const struct arch_model *m)
{
	return m->arch->family;
}

static const char *const conv_names[] = {
	[ARCH_HF] = "hf", [ARCH_GGUF] = "gguf", [ARCH_APR] = "apr",
};

int
arch_conv_by_name(const char *name)
{
	for (int i = 0; name && i < 3; i++)
		if (!strcmp(conv_names[i], name))
			return i;
	return -1;
}

const char *
arch_conv_name(enum arch_conv c)
{
	return conv_names[c];
}
