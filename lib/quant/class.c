/* SPDX-License-Identifier: MIT */
/* class.c -- what a name says: a tensor's class, and that it is left alone. */
#include <string.h>

#include <apr/quant.h>

#include "class.h"

const char *const class_names[CLASSES] = {
	[CLASS_OTHER] = "other", [CLASS_OUTPUT] = "output",
	[CLASS_EMBD] = "token_embd", [CLASS_V] = "attn_v", [CLASS_K] = "attn_k",
	[CLASS_Q] = "attn_q", [CLASS_ATTN_OUTPUT] = "attn_output",
	[CLASS_UP] = "ffn_up", [CLASS_GATE] = "ffn_gate", [CLASS_DOWN] = "ffn_down",
};

/* The first that a GGUF name contains. */
static const struct { const char *part; enum quant_class class; } parts[] = {
	{ "attn_qkv.weight", CLASS_V }, { "attn_kv_b.weight", CLASS_V },
	{ "attn_v.weight", CLASS_V }, { "attn_k.weight", CLASS_K },
	{ "attn_q.weight", CLASS_Q }, { "attn_output.weight", CLASS_ATTN_OUTPUT },
	{ "ffn_up", CLASS_UP }, { "ffn_gate", CLASS_GATE }, { "ffn_down", CLASS_DOWN },
};

/* What llama-quantize looks for anywhere in a name. */
static const char *const never_part[] = {
	"_norm.weight", "ffn_gate_inp.weight", "ffn_gate_tid2eid.weight", "altup",
	"laurel", "per_layer_model_proj", "ssm_conv1d", "shortconv.conv.weight",
	"indexer.k_proj.weight", "indexer.q_proj.weight", "attn_rel_b.weight",
	"time_mix_first.weight", "time_mix_w0.weight", "time_mix_w1.weight",
	"time_mix_w2.weight", "time_mix_v0.weight", "time_mix_v1.weight",
	"time_mix_v2.weight", "time_mix_a0.weight", "time_mix_a1.weight",
	"time_mix_a2.weight", "time_mix_g1.weight", "time_mix_g2.weight",
	"time_mix_decay_w1.weight", "time_mix_decay_w2.weight",
	"time_mix_lerp_fused.weight", ".position_embd", "sam.pos_embd",
	"sam.neck.", "sam.net_", ".rel_pos", ".patch_embd", ".patch_merger",
	"a.rvq.codebook", "mm.a.code_embd",
};

/* Ends of names, each from a dot (or the name's begin) on; what begins with
 * '_' from anywhere.  Two of GGUF's, then Hugging Face's and aprender's. */
static const char *const never_end[] = {
	"position_embd.weight", "token_types.weight",

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

#define COUNT(list) (sizeof (list) / sizeof *(list))

static bool
ends_with(const char *name, const char *tail)
{
	size_t n = strlen(name), k = strlen(tail);

	return n >= k && !memcmp(name + n - k, tail, k) &&
	    (*tail == '_' || n == k || name[n - k - 1] == '.');
}

static bool
listed(const char *name, const char *const *tail, size_t n)
{
	while (n-- > 0)
		if (ends_with(name, tail[n]))
			return true;
	return false;
}

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
	const char *name = tensor_role(t);
	size_t n = strlen(name);

	if (dims(t) < 2)
		return true;
	if (n < 6 || memcmp(name + n - 6, "weight", 6))
		return !listed(name, weights, COUNT(weights));
	for (size_t i = 0; i < COUNT(never_part); i++)
		if (strstr(name, never_part[i]))
			return true;
	return listed(name, never_end, COUNT(never_end));
}

bool
class_known(const struct manifest *m)
{
	return m->roles || (m->convention && !strcmp(m->convention, "gguf"));
}

enum quant_class
class_of(const struct tensor *t)
{
	const char *name = tensor_role(t);

	if (!strcmp(name, "output.weight"))
		return CLASS_OUTPUT;
	if (!strcmp(name, "token_embd.weight") || !strcmp(name, "per_layer_token_embd.weight"))
		return CLASS_EMBD;
	for (size_t i = 0; i < COUNT(parts); i++)
		if (strstr(name, parts[i].part))
			return parts[i].class;
	return CLASS_OTHER;
}
