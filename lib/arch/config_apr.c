/* SPDX-License-Identifier: MIT */
/* config_apr.c -- hyper-parameters from an .apr's metadata. */
#include <string.h>

#include "arch.h"

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
		if (arch_rename(d, apr_words[i][1], apr_words[i][0], e) < 0)
			return -1;
	class = doc_string(d, "hf_architecture");
	type = doc_string(d, "hf_model_type");
	if (!type)
		type = doc_string(d, "architecture");
	if (!arch_find_class(m, class, type)) {
		for (size_t i = 0; type && archs[i]; i++)
			if (!strcmp(archs[i]->name, type)) {
				m->arch = archs[i];
				m->class = archs[i]->class;
			}
		if (!m->arch) {
			*unknown = true;
			return err_set(e, "the architecture is %s, known are: %s",
			    arch_or_nothing(type), arch_known());
		}
		/* Of several classes the one that always holds. */
		while (m->class->if_key && !doc_find(d, "num_experts"))
			m->class++;
	}
	/* There is one word for both kinds of norm. */
	if (m->arch == &arch_gpt2 &&
	    arch_rename(d, "rms_norm_eps", "layer_norm_epsilon", e) < 0)
		return -1;
	return arch_complete(m, e);
}
