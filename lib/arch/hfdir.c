/* SPDX-License-Identifier: MIT */
/*
 * hfdir.c -- config.json and its neighbours for a model that comes from
 * elsewhere: what transformers and llama.cpp's converter read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "title.h"

/* What the tensors say that no key does. */
struct facts {
	bool		 output, q_bias, mlp_bias;
	uint64_t	 rows;			/* of the embedding */
	uint64_t	 weights;
	const char	*dtype;
	struct buf	 dense;			/* layers without experts, in a model with */
};

static int
look(const struct arch_model *m, const struct manifest *mf, enum arch_conv conv,
    struct facts *f, struct err *e)
{
	static const struct { const char *type, *dtype; } dtypes[] = {
		{ "F32", "float32" }, { "F16", "float16" }, { "BF16", "bfloat16" },
	};
	uint64_t sum[3] = { 0 };
	char name[TENSOR_NAME + 1];
	struct arch_hit h;
	int most = 0;

	buf_str(&f->dense, "[");
	for (size_t i = 0; i < mf->ntensor; i++) {
		const struct tensor *t = &mf->tensor[i];

		f->weights += t->tied_to ? 0 : t->n;
		if (!arch_match(m, conv, t->name, &h) || !h.row->gguf || t->tied_to)
			continue;
		h.part = 0;
		arch_spell(m, ARCH_GGUF, &h, name);
		f->output |= !strcmp(name, "output.weight");
		f->q_bias |= strstr(name, ".attn_q.bias") || strstr(name, ".attn_qkv.bias");
		f->mlp_bias |= strstr(name, ".ffn_up.bias") != NULL;
		if (!strcmp(name, "token_embd.weight") && t->ndim == 2)
			f->rows = t->dim[0];
		if (m->experts > 0 && strstr(name, ".ffn_gate.weight"))
			buf_printf(&f->dense, "%s%ld", f->dense.len > 1 ? "," : "", h.layer);
		for (int k = 0; k < 3; k++)
			if (!strcmp(dtypes[k].type, t->type->name) && t->ndim > 1)
				sum[k] += t->n;
	}
	for (int k = 1; k < 3; k++)
		if (sum[k] > sum[most])
			most = k;
	f->dtype = dtypes[most].dtype;
	buf_str(&f->dense, "]");
	buf_put(&f->dense, "", 1);
	return buf_check(&f->dense, e);
}

static int
copy(struct doc *to, const char *path, const struct doc *from, const char *old, struct err *e)
{
	const struct doc_item *i = doc_find(from, old);

	return i ? doc_put(to, path, i->kind, i->text, e) : 0;
}

/* Everything below a path. */
static int
copy_all(struct doc *to, const char *path, const struct doc *from, const char *old,
    struct err *e)
{
	char name[256];

	for (size_t i = 0; i < from->n; i++) {
		const struct doc_item *it = &from->item[i];

		if (strncmp(it->path, old, strlen(old)) || strlen(it->path) > 200)
			continue;
		snprintf(name, sizeof name, "%s%s", path, it->path + strlen(old));
		if (doc_put(to, name, it->kind, it->text, e) < 0)
			return -1;
	}
	return 0;
}

/* rope_parameters, and for older readers rope_theta and rope_scaling. */
static int
ropes(const struct arch_model *m, struct doc *d, struct err *e)
{
	static const char theta[] = "rope_parameters.rope_theta";
	const char *type = doc_string(&m->doc, "rope_parameters.rope_type");

	if (!doc_find(&m->doc, theta))
		return 0;	/* gpt2 has none */
	if (m->arch->flags & ARCH_TWO_ROPES) {
		if (copy_all(d, "rope_parameters.full_attention.", &m->doc,
		    "rope_parameters.", e) < 0 ||
		    copy(d, "rope_parameters.sliding_attention.rope_theta", &m->doc,
		    "rope_local_base_freq", e) < 0 ||
		    doc_put(d, "rope_parameters.sliding_attention.rope_type", JSON_STRING,
		    "default", e) < 0)
			return -1;
	} else if (copy_all(d, "rope_parameters.", &m->doc, "rope_parameters.", e) < 0) {
		return -1;
	}
	if (copy(d, "rope_theta", &m->doc, theta, e) < 0 ||
	    copy(d, "partial_rotary_factor", &m->doc, "rope_parameters.partial_rotary_factor",
	    e) < 0)
		return -1;
	if (!type || !strcmp(type, "default"))
		return doc_put(d, "rope_parameters.original_max_position_embeddings", JSON_NULL,
		    NULL, e);
	if (copy_all(d, "rope_scaling.", &m->doc, "rope_parameters.", e) < 0)
		return -1;
	return doc_put(d, "rope_scaling.rope_theta", JSON_NULL, NULL, e) < 0 ||
	    doc_put(d, "rope_scaling.partial_rotary_factor", JSON_NULL, NULL, e) < 0 ? -1 : 0;
}

static int
put_bool(struct doc *d, const char *path, bool v, struct err *e)
{
	return doc_put(d, path, v ? JSON_TRUE : JSON_FALSE, v ? "true" : "false", e);
}

static bool
same(const struct buf *b, const char *s)
{
	return s ? b->len == strlen(s) && !memcmp(b->p, s, b->len) : b->len == 0;
}

/* A path that gives general.name and its fellows again; false: none does. */
static bool
find_path(const struct doc *d, uint64_t weights, char path[256])
{
	const char *name = doc_string(d, "general.name"), *size;
	char word[256];
	bool found = false;

	if (!name || strlen(name) >= sizeof word - 1)
		return false;
	size = doc_string(d, "general.size_label");
	for (int lower = 1; lower >= 0 && !found; lower--) {
		struct title t = { 0 };
		struct err ignored;
		size_t i;

		for (i = 0; name[i]; i++)
			word[i] = name[i] == ' ' ? '-' : name[i] == '/' ? '-' :
			    lower && name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
		word[i] = '\0';
		found = title_read(&t, word, weights, &ignored) == 0 && same(&t.name, name) &&
		    same(&t.version, doc_string(d, "general.version")) &&
		    same(&t.basename, doc_string(d, "general.basename")) &&
		    same(&t.finetune, doc_string(d, "general.finetune")) &&
		    (t.size.len == 0 || same(&t.size, size));
		title_release(&t);
	}
	if (found)
		memcpy(path, word, strlen(word) + 1);
	return found;
}

/* Ids that the tokenizer's keys have. */
static int
special_ids(struct doc *to, const struct doc *from, struct err *e)
{
	static const char *const ids[][3] = {
		{ "bos_token_id", "tokenizer.ggml.bos_token_id", "tokenizer.bos_token_id" },
		{ "eos_token_id", "tokenizer.ggml.eos_token_id", "tokenizer.eos_token_id" },
		{ "pad_token_id", "tokenizer.ggml.padding_token_id",
		  "tokenizer.padding_token_id" },
	};

	bool known = doc_find(from, "tokenizer.ggml.model") ||
	    doc_find(from, "tokenizer.vocab_size");

	/* Without a null, transformers would suppose ids of its own. */
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		if (known && doc_put(to, ids[i][0], JSON_NUMBER, "null", e) < 0)
			return -1;
		for (size_t k = 1; k < 3; k++)
			if (copy(to, ids[i][0], from, ids[i][k], e) < 0)
				return -1;
	}
	return 0;
}

static int
fill(struct arch_model *m, const struct facts *f, struct doc *d, struct err *e)
{
	char text[256];

	snprintf(text, sizeof text, "[\"%s\"]", m->class->name);
	if (doc_put(d, "architectures", JSON_ARRAY, text, e) < 0 ||
	    doc_put(d, "model_type", JSON_STRING, m->class->type, e) < 0 ||
	    doc_put(d, "dtype", JSON_STRING, f->dtype, e) < 0 ||
	    put_bool(d, "tie_word_embeddings", !f->output, e) < 0)
		return -1;
	for (const struct arch_key *k = m->arch->key; k->gguf; k++)
		if (k->hf && strncmp(k->hf, "rope_", 5) && copy(d, k->hf, &m->doc, k->hf, e) < 0)
			return -1;
	if (copy(d, "original_max_position_embeddings", &m->doc,
	    m->arch->flags & ARCH_ROPE_FACTORS ? "original_max_position_embeddings" : "", e) < 0 ||
	    copy(d, "layer_types", &m->doc, "layer_types", e) < 0 ||
	    copy(d, "intermediate_size", &m->doc, "intermediate_size", e) < 0 ||
	    copy(d, "vocab_size", &m->doc, "vocab_size", e) < 0 ||
	    (f->rows && doc_put_u64(d, "vocab_size", f->rows, e) < 0) || ropes(m, d, e) < 0 ||
	    special_ids(d, &m->doc, e) < 0)
		return -1;
	if ((m->arch->flags & ARCH_BIAS) && put_bool(d, "attention_bias", f->q_bias, e) < 0)
		return -1;
	if ((m->arch->flags & ARCH_MLP_BIAS) && put_bool(d, "mlp_bias", f->mlp_bias, e) < 0)
		return -1;
	if ((m->arch->flags & ARCH_QUERY_SCALE) && doc_put_u64(d, "query_pre_attn_scalar",
	    m->layers == m->arch->odd_layers && m->heads ? m->hidden / m->heads : m->head_dim,
	    e) < 0)
		return -1;
	for (const char *const *p = m->class->extra; p && *p; p += 2)
		if (doc_put(d, p[0], JSON_NUMBER, p[1], e) < 0)
			return -1;
	if (m->experts > 0 && m->arch == &arch_qwen3moe &&
	    doc_put(d, "mlp_only_layers", JSON_ARRAY, (const char *)f->dense.p, e) < 0)
		return -1;
	if (find_path(&m->doc, f->weights, text) &&
	    doc_put(d, "_name_or_path", JSON_STRING, text, e) < 0)
		return -1;
	for (const char *const *p = m->arch->rename; p && *p; p += 2)
		if (copy(d, p[1], d, p[0], e) < 0)
			return -1;
	for (const char *const *p = m->arch->rename; p && *p; p += 2)
		if (doc_put(d, p[0], JSON_NULL, NULL, e) < 0)
			return -1;
	return 0;
}

/* What the sampler's keys are called there. */
static int
generation(const struct arch_model *m, struct doc *d, struct err *e)
{
	static const char *const names[][2] = {
		{ "temp", "temperature" }, { "penalty_repeat", "repetition_penalty" },
	};
	static const char prefix[] = "general.sampling.";
	char path[160];

	if (special_ids(d, &m->doc, e) < 0)
		return -1;
	for (size_t i = 0; i < m->doc.n; i++) {
		const struct doc_item *it = &m->doc.item[i];
		const char *name = it->path + sizeof prefix - 1;

		if (strncmp(it->path, prefix, sizeof prefix - 1) || strlen(name) > 128)
			continue;
		for (size_t k = 0; k < 2; k++)
			if (!strcmp(name, names[k][0]))
				name = names[k][1];
		snprintf(path, sizeof path, "%s", name);
		if (doc_put(d, path, it->kind, it->text, e) < 0)
			return -1;
	}
	return put_bool(d, "_from_model_config", d->n <= 3, e);
}

static void
yaml(struct buf *b, const char *key, const char *s)
{
	if (!s)
		return;
	buf_printf(b, "%s", key);
	buf_json(b, s, strlen(s));
	buf_str(b, "\n");
}

static void
yaml_list(struct buf *b, struct doc *d, const char *path, const char *key)
{
	size_t n = doc_array(d, path);

	if (n > 0)
		buf_printf(b, "%s:\n", key);
	for (size_t i = 0; i < n; i++)
		yaml(b, "- ", doc_element_string(d, path, i));
}

static void
yaml_related(struct buf *b, const struct doc *d, const char *what, const char *key)
{
	static const char site[] = "https://huggingface.co/";
	char path[128];
	uint64_t n = 0;

	snprintf(path, sizeof path, "general.%s.count", what);
	if (!doc_u64(d, path, &n) || n == 0 || n > 1000)
		return;
	buf_printf(b, "%s:\n", key);
	for (uint64_t i = 0; i < n; i++) {
		const char *s;

		snprintf(path, sizeof path, "general.%s.%" PRIu64 ".repo_url", what, i);
		s = doc_string(d, path);
		if (s && !strncmp(s, site, sizeof site - 1))
			s += sizeof site - 1;
		if (!s) {
			snprintf(path, sizeof path, "general.%s.%" PRIu64 ".name", what, i);
			s = doc_string(d, path);
		}
		yaml(b, "- ", s);
	}
}

/* A model card, if there is anything that only a card can say. */
static int
card(struct arch_model *m, const struct facts *f, struct buf *b, struct err *e)
{
	struct doc *d = &m->doc;
	char path[256];

	buf_str(b, "---\n");
	if (!find_path(d, f->weights, path))
		yaml(b, "name: ", doc_string(d, "general.name"));
	yaml(b, "license: ", doc_string(d, "general.license"));
	yaml(b, "license_name: ", doc_string(d, "general.license.name"));
	yaml(b, "license_link: ", doc_string(d, "general.license.link"));
	yaml_related(b, d, "base_model", "base_model");
	yaml_related(b, d, "dataset", "datasets");
	yaml_list(b, d, "general.tags", "tags");
	yaml_list(b, d, "general.languages", "languages");
	if (b->len == 4)
		b->len = 0;
	else
		buf_str(b, "---\n");
	return buf_check(b, e);
}

int
arch_put_file(struct arch_model *m, const struct manifest *mf, enum arch_conv conv,
    const char *file, struct buf *b, struct err *e)
{
	struct facts f = { 0 };
	struct doc d = { 0 };
	int r = look(m, mf, conv, &f, e);

	if (r == 0 && !strcmp(file, "README.md"))
		r = card(m, &f, b, e);
	else if (r == 0 && !strcmp(file, "generation_config.json"))
		r = generation(m, &d, e) < 0 ? -1 : doc_write(&d, b, e);
	else if (r == 0)
		r = fill(m, &f, &d, e) < 0 ? -1 : doc_write(&d, b, e);
	buf_release(&f.dense);
	doc_release(&d);
	return r;
}
