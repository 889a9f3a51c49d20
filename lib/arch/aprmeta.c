/* SPDX-License-Identifier: MIT */
/* aprmeta.c -- hyper-parameters in aprender's words, one spelling each. */
#include <inttypes.h>
#include <string.h>

#include "arch.h"

/* In the order of aprender's typed fields; an empty one is rope_type's place. */
static const char *const words[][2] = {
	{ "hidden_size", "hidden_size" }, { "num_layers", "num_hidden_layers" },
	{ "num_heads", "num_attention_heads" }, { "num_kv_heads", "num_key_value_heads" },
	{ "vocab_size", "vocab_size" }, { "intermediate_size", "intermediate_size" },
	{ "max_position_embeddings", "max_position_embeddings" },
	{ "rope_theta", "rope_parameters.rope_theta" }, { "rope_type", "" },
	{ "rms_norm_eps", "rms_norm_eps" }, { "rms_norm_eps", "layer_norm_epsilon" },
	{ "head_dim", "head_dim" }, { "num_experts", "num_local_experts" },
	{ "num_experts_per_tok", "num_experts_per_tok" },
	{ "moe_intermediate_size", "moe_intermediate_size" },
};

static const char *const linear[] = {
	"linear_conv_kernel_dim", "linear_key_head_dim", "linear_num_key_heads",
	"linear_num_value_heads", "linear_value_head_dim", "layer_types",
};

/* A number as its type wants it: aprender refuses 512.0 for a count. */
static void
put_number(struct buf *b, const struct arch_model *m, const char *path)
{
	const struct doc_item *i = doc_find(&m->doc, path);
	uint64_t v;

	if (!strchr(i->text, 'e') && doc_u64(&m->doc, path, &v) && !strstr(path, "theta"))
		buf_printf(b, "%" PRIu64, v);
	else
		buf_str(b, i->text);
}

int
arch_put_apr(const struct arch_model *m, const struct manifest *mf, const char *name,
    const char *original_format, uint64_t elements, bool tied, const char *source_metadata,
    struct buf *b, struct err *e)
{
	const struct doc *d = &m->doc;
	const char *eps = NULL, *type = doc_string(d, "model_type");
	uint64_t v, rows = 0;
	bool any = false;

	for (size_t i = 0; i < mf->ntensor; i++)
		if (name_is_embedding(mf->tensor[i].name) && mf->tensor[i].ndim == 2 && rows == 0)
			rows = mf->tensor[i].dim[0];
	/* model_type is a string that aprender fills with an option's name. */
	if (!type)
		type = m->class->type;
	buf_str(b, "\"model_type\":");
	buf_json(b, type, strlen(type));
	if (!name)
		name = doc_string(d, "general.name");
	if (name) {
		buf_str(b, ",\"name\":");
		buf_json(b, name, strlen(name));
	}
	buf_printf(b, ",\"license\":null,\"data_source\":null,\"data_license\":null,"
	    "\"original_format\":\"%s\",\"total_size\":0,\"param_count\":%" PRIu64
	    ",\"architecture\":", original_format, elements);
	buf_json(b, type, strlen(type));
	buf_printf(b, ",\"hf_architecture\":\"%s\",\"hf_model_type\":", m->class->name);
	buf_json(b, type, strlen(type));
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		const char *path = words[i][1];
		const struct doc_item *it = doc_find(d, path);

		if (!*path) {
			/* Rows are in Hugging Face's order: halves rotate. */
			buf_str(b, ",\"rope_type\":2");
			continue;
		}
		if (!strcmp(words[i][0], "rms_norm_eps") && eps)
			continue;
		if (!strcmp(path, "vocab_size") && rows > 0) {
			buf_printf(b, ",\"vocab_size\":%" PRIu64, rows);
			continue;
		}
		if (!strcmp(path, "intermediate_size") && !it && m->arch == &arch_gpt2 &&
		    doc_u64(d, "hidden_size", &v)) {
			buf_printf(b, ",\"intermediate_size\":%" PRIu64, 4 * v);
			continue;
		}
		if (!it || it->kind != JSON_NUMBER)
			continue;
		if (!strcmp(words[i][0], "rms_norm_eps"))
			eps = path;
		buf_printf(b, ",\"%s\":", words[i][0]);
		put_number(b, m, path);
	}
	if (tied)
		buf_str(b, ",\"tied_embeddings\":true");
	for (size_t i = 0; m->k_heads > 0 && i < sizeof linear / sizeof *linear; i++) {
		const struct doc_item *it = doc_find(d, linear[i]);

		if (!it || (it->kind != JSON_NUMBER && it->kind != JSON_ARRAY))
			continue;
		buf_printf(b, "%s\"%s\":%s", any ? "," : ",\"linear_attn_hparams\":{", linear[i],
		    it->text);
		any = true;
	}
	if (any && doc_find(d, "rope_parameters.partial_rotary_factor"))
		buf_printf(b, ",\"partial_rotary_factor\":%s",
		    doc_find(d, "rope_parameters.partial_rotary_factor")->text);
	buf_str(b, any ? "}" : "");
	if (source_metadata)
		buf_printf(b, ",\"source_metadata\":%s", source_metadata);
	return buf_check(b, e);
}

bool
arch_is_tied(const struct arch_model *m, const struct manifest *mf, enum arch_conv conv)
{
	const struct doc_item *says = doc_find(&m->doc, "tie_word_embeddings");
	struct arch_hit h;

	for (size_t i = 0; i < mf->ntensor; i++)
		if (!mf->tensor[i].tied_to && arch_match(m, conv, mf->tensor[i].name, &h) &&
		    !strcmp(h.row->hf, h.row->gguf && !strncmp(h.row->gguf, "output.", 7) ?
		    h.row->hf : "lm_head.weight") && !h.bias)
			return false;
	return !says || says->kind == JSON_TRUE;
}
