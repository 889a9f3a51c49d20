/* SPDX-License-Identifier: MIT */
/*
 * config.c -- hyper-parameters in one language, whoever wrote them: that of
 * the newest config.json, old spellings renamed and defaults filled in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"

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

bool
arch_find_class(struct arch_model *m, const char *class, const char *type)
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

const char *
arch_or_nothing(const char *s)
{
	return s ? s : "nothing";
}

int
arch_rename(struct doc *d, const char *from, const char *to, struct err *e)
{
	const struct doc_item *i = doc_find(d, from);

	return i && !doc_find(d, to) ? doc_put(d, to, i->kind, i->text, e) : 0;
}

static int
ropes(struct arch_model *m, struct err *e)
{
	struct doc *d = &m->doc;

	if (m->arch->flags & ARCH_TWO_ROPES) {
		if (arch_rename(d, "rope_parameters.sliding_attention.rope_theta",
		    "rope_local_base_freq", e) < 0 ||
		    doc_copy(d, "rope_parameters.full_attention.", "rope_parameters.", false, e) < 0)
			return -1;
	}
	if (doc_copy(d, "rope_scaling.", "rope_parameters.", false, e) < 0 ||
	    arch_rename(d, "rope_parameters.type", "rope_parameters.rope_type", e) < 0 ||
	    arch_rename(d, "rope_theta", "rope_parameters.rope_theta", e) < 0 ||
	    arch_rename(d, "partial_rotary_factor", "rope_parameters.partial_rotary_factor", e) < 0 ||
	    arch_rename(d, "original_max_position_embeddings",
	    "rope_parameters.original_max_position_embeddings", e) < 0 ||
	    arch_rename(d, "rope_parameters.original_max_position_embeddings",
	    "original_max_position_embeddings", e) < 0)
		return -1;
	if (!doc_find(d, "rope_parameters.rope_type"))
		return doc_put(d, "rope_parameters.rope_type", JSON_STRING, "default", e);
	return 0;
}

uint64_t
arch_count(const struct arch_model *m, const char *path)
{
	uint64_t v = 0;

	return doc_u64(&m->doc, path, &v) ? v : 0;
}

static int
defaults(struct arch_model *m, struct err *e)
{
	struct doc *d = &m->doc;

	for (const char *const *p = m->class->defaults; *p; p += 2) {
		uint64_t hidden = arch_count(m, "hidden_size"), heads = arch_count(m, "num_attention_heads");
		int r = 0;

		/* aprender drops these; what is lost is not made up. */
		if (doc_find(d, p[0]) || (m->partial && strstr(p[0], "expert")))
			continue;
		if (p[1][0] == '=')
			r = arch_rename(d, p[1] + 1, p[0], e);
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

int
arch_complete(struct arch_model *m, struct err *e)
{
	struct doc *d = &m->doc;

	for (const char *const *p = m->arch->rename; p && *p; p += 2)
		if (arch_rename(d, p[1], p[0], e) < 0)
			return -1;
	if (arch_rename(d, "num_experts", "num_local_experts", e) < 0 ||
	    ropes(m, e) < 0 || defaults(m, e) < 0)
		return -1;
	m->layers = arch_count(m, "num_hidden_layers");
	m->hidden = arch_count(m, "hidden_size");
	m->heads = arch_count(m, "num_attention_heads");
	m->kv_heads = arch_count(m, "num_key_value_heads");
	m->vocab = arch_count(m, "vocab_size");
	m->experts = arch_count(m, "num_local_experts");
	m->k_heads = arch_count(m, "linear_num_key_heads");
	m->k_dim = arch_count(m, "linear_key_head_dim");
	m->v_heads = arch_count(m, "linear_num_value_heads");
	m->v_dim = arch_count(m, "linear_value_head_dim");
	m->head_dim = m->arch->flags & ARCH_NO_HEAD_DIM ? 0 : arch_count(m, "head_dim");
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
	if (!arch_find_class(m, class, type)) {
		*unknown = true;
		return err_set(e, "config.json: the architecture is %s (%s), known are: %s",
		    arch_or_nothing(class), arch_or_nothing(type), arch_known());
	}
	return arch_complete(m, e);
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
