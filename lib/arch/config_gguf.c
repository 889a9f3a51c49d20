/* SPDX-License-Identifier: MIT */
/* config_gguf.c -- hyper-parameters from a GGUF's keys, by the architecture's table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "num.h"

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
		if (arch_rename(d, from, to, e) < 0)
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
		by = arch_count(m, "num_attention_heads");
		if (doc_u64(d, path, &v) && by > 0 && v != arch_count(m, "hidden_size") / by)
			return arch_rename(d, path, k->hf, e);
		return 0;
	case KEY_ROTARY_DIM:
		by = arch_count(m, "head_dim");
		return doc_u64(d, path, &v) && by > 0 ?
		    put_scaled(d, k->hf, (double)v / (double)by, e) : 0;
	case KEY_PHI_DIM:
		by = arch_count(m, "hidden_size");
		return doc_u64(d, path, &v) && by > 0 ? put_scaled(d, k->hf,
		    (double)v * (double)arch_count(m, "num_attention_heads") / (double)by, e) : 0;
	case KEY_FOUR:
		if (doc_u64(d, path, &v) && v != 4 * arch_count(m, k->hf))
			return arch_rename(d, path, "intermediate_size", e);
		return 0;
	case KEY_SSM_INNER:
		by = arch_count(m, "linear_num_value_heads");
		return doc_u64(d, path, &v) && by > 0 ? doc_put_u64(d, k->hf, v / by, e) : 0;
	case KEY_OR_ZERO:
		return doc_u64(d, path, &v) && v > 0 ? arch_rename(d, path, k->hf, e) : 0;
	default:
		return arch_rename(d, path, k->hf, e);
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
		    arch_or_nothing(name), arch_known());
	}
	for (const struct arch_class *c = m->arch->class; c->name && !m->class; c++) {
		snprintf(path, sizeof path, "%s.%s", m->arch->name, c->if_key ? c->if_key : "");
		if (!c->if_key || doc_find(&m->doc, path))
			m->class = c;
	}
	for (const struct arch_key *k = m->arch->key; k->gguf; k++)
		if (read_key(m, k, e) < 0)
			return -1;
	return arch_complete(m, e);
}
