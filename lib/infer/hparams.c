/* SPDX-License-Identifier: MIT */
/*
 * hparams.c -- a model's numbers, from GGUF's keys and, where config.json is
 * there, from what GGUF has no key for.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

static int
number(const struct load *l, const char *word, double dflt, float *v, struct err *e)
{
	double d = dflt;

	if (!arch_real(l->arch, word, &d) && dflt < 0)
		return err_set(e, "the model does not say its %s", word);
	if (!isfinite(d) || fabs(d) > 1e30)
		return err_set(e, "%s of %g", word, d);
	*v = (float)d;
	return 0;
}

static int
count(const struct load *l, const char *word, long dflt, unsigned *v, struct err *e)
{
	double d = (double)dflt;

	if (!arch_real(l->arch, word, &d) && dflt < 0)
		return err_set(e, "the model does not say its %s", word);
	if (!(d >= 0 && d <= 1e9) || d != floor(d))
		return err_set(e, "%s of %g is no count", word, d);
	*v = (unsigned)d;
	return 0;
}

static bool
flag(const struct load *l, const char *word, bool dflt)
{
	double d = dflt;

	return arch_real(l->arch, word, &d) ? d != 0 : dflt;
}

static bool
is(const struct load *l, const char *arch)
{
	return !strcmp(arch_gguf(l->arch), arch);
}

static bool
gemma(const struct load *l)
{
	return !strncmp(arch_gguf(l->arch), "gemma", 5);
}

static int
sizes(const struct load *l, struct hparams *h, struct err *e)
{
	if (count(l, "num_hidden_layers", -1, &h->n_layer, e) < 0 ||
	    count(l, "hidden_size", -1, &h->n_embd, e) < 0 ||
	    count(l, "max_position_embeddings", -1, &h->n_ctx, e) < 0 ||
	    count(l, "num_attention_heads", -1, &h->n_head, e) < 0 ||
	    count(l, "num_key_value_heads", (long)h->n_head, &h->n_kv, e) < 0)
		return -1;
	if (!h->n_layer || !h->n_embd || !h->n_ctx || !h->n_head || !h->n_kv ||
	    h->n_layer > 4096 || h->n_embd > 1u << 20 || h->n_head > 4096)
		return err_set(e, "%u layers, %u wide, %u heads, context %u: not a model",
		    h->n_layer, h->n_embd, h->n_head, h->n_ctx);
	if (h->n_head % h->n_kv)
		return err_set(e, "%u heads cannot share %u heads of keys", h->n_head, h->n_kv);
	if (count(l, "head_dim", h->n_embd / h->n_head, &h->head_dim, e) < 0)
		return -1;
	if (h->head_dim == 0 || h->head_dim > 1024)
		return err_set(e, "heads of %u", h->head_dim);
	/* GPT-2's is the matrix's; the others' is checked against theirs. */
	return count(l, "intermediate_size", 4L * h->n_embd, &h->n_ff, e);
}

static int
mixture(const struct load *l, struct hparams *h, struct err *e)
{
	if (count(l, "num_local_experts", 0, &h->n_expert, e) < 0 ||
	    count(l, "num_experts_per_tok", 0, &h->n_used, e) < 0 ||
	    count(l, "moe_intermediate_size", h->n_ff, &h->n_ff_exp, e) < 0)
		return -1;
	if (h->n_expert > 1024 || h->n_used > h->n_expert || (h->n_expert && !h->n_used))
		return err_set(e, "%u of %u experts", h->n_used, h->n_expert);
	h->norm_topk = flag(l, "norm_topk_prob", true);
	return 0;
}

static int
state_space(const struct load *l, struct hparams *h, struct err *e)
{
	if (!is(l, "qwen35"))
		return 0;
	if (count(l, "linear_conv_kernel_dim", -1, &h->n_conv, e) < 0 ||
	    count(l, "linear_key_head_dim", -1, &h->dk, e) < 0 ||
	    count(l, "linear_num_key_heads", -1, &h->nk, e) < 0 ||
	    count(l, "linear_value_head_dim", -1, &h->dv, e) < 0 ||
	    count(l, "linear_num_value_heads", -1, &h->nv, e) < 0)
		return -1;
	if (!h->n_conv || h->n_conv > 64 || !h->nk || !h->nv || h->nv % h->nk || !h->dv ||
	    h->dv > 4096 || !h->dk || h->dk > 4096 || h->nv > 4096)
		return err_set(e, "%u value heads of %u for %u key heads of %u", h->nv, h->dv,
		    h->nk, h->dk);
	h->q_gate = true;
	h->v_mod = l->conv == ARCH_GGUF;
	return 0;
}

static int
scales(const struct load *l, struct hparams *h, struct err *e)
{
	double query = 0;
	float head;

	h->layer_norm = is(l, "gpt2");
	if (number(l, h->layer_norm ? "layer_norm_epsilon" : "rms_norm_eps", -1, &h->eps, e) < 0)
		return -1;
	/* GGUF has no key for it: gemma2's 27B is the one that differs. */
	if (is(l, "gemma2") && h->n_layer == 46)
		query = h->n_embd / h->n_head;
	if (gemma(l))
		arch_real(l->arch, "query_pre_attn_scalar", &query);
	head = (float)(1 / sqrt(query > 0 ? query : h->head_dim));
	h->attn_scale = head;
	h->embd_scale = h->residual_scale = h->logit_scale = 1;
	if (is(l, "granite") && (number(l, "attention_multiplier", head, &h->attn_scale, e) < 0 ||
	    number(l, "embedding_multiplier", 1, &h->embd_scale, e) < 0 ||
	    number(l, "residual_multiplier", 1, &h->residual_scale, e) < 0 ||
	    number(l, "logits_scaling", 1, &h->logit_scale, e) < 0))
		return -1;
	if (number(l, "attn_logit_softcapping", 0, &h->attn_cap, e) < 0 ||
	    number(l, "final_logit_softcapping", 0, &h->logit_cap, e) < 0)
		return -1;
	if (gemma(l))
		h->embd_scale = sqrtf((float)h->n_embd);
	return 0;
}

static int
inverse(struct rope *r, double theta, struct err *e)
{
	if (r->n_rot % 2)
		return err_set(e, "%u elements cannot turn in pairs", r->n_rot);
	if (!(r->inv = calloc(r->n_rot / 2 + 1, sizeof *r->inv)))
		return err_set(e, "out of memory");
	r->mscale = 1;
	for (unsigned i = 0; i < r->n_rot / 2; i++)
		r->inv[i] = 1 / (float)pow(theta, (double)((float)(2 * i) / (float)r->n_rot));
	return 0;
}

static double
value(const struct load *l, const char *word, double dflt)
{
	double d = dflt;

	return arch_real(l->arch, word, &d) ? d : dflt;
}

/* YaRN: high frequencies stay, low ones are stretched, a ramp between. */
static void
yarn(const struct load *l, struct rope *r, double theta, double factor)
{
	double orig = value(l, "rope_parameters.original_max_position_embeddings",
	    value(l, "max_position_embeddings", 0));
	double fast = value(l, "rope_parameters.beta_fast", 32);
	double slow = value(l, "rope_parameters.beta_slow", 1), n = r->n_rot;
	double low = floor(n * log(orig / (2 * M_PI * fast)) / (2 * log(theta)));
	double high = ceil(n * log(orig / (2 * M_PI * slow)) / (2 * log(theta)));

	low = low < 0 ? 0 : low;
	high = high > n - 1 ? n - 1 : high;
	if (low >= high)
		high = low + 0.001;
	for (unsigned i = 0; i < r->n_rot / 2; i++) {
		double ramp = ((double)i - low) / (high - low);

		ramp = ramp < 0 ? 0 : ramp > 1 ? 1 : ramp;
		r->inv[i] = (float)((double)r->inv[i] * ((1 - ramp) + ramp / factor));
	}
	r->mscale = (float)value(l, "rope_parameters.attention_factor", 0.1 * log(factor) + 1);
}

/* llama3's: low frequencies divided, a ramp between; as a GGUF has them in
 * rope_freqs.weight. */
static void
llama3(const struct load *l, struct rope *r, double factor)
{
	double orig = value(l, "rope_parameters.original_max_position_embeddings", 8192);
	double low = value(l, "rope_parameters.low_freq_factor", 1);
	double high = value(l, "rope_parameters.high_freq_factor", 4);

	for (unsigned i = 0; i < r->n_rot / 2; i++) {
		double wave = 2 * M_PI / (double)r->inv[i], smooth;

		if (wave < orig / high)
			continue;
		smooth = wave > orig / low ? 0 : (orig / wave - low) / (high - low);
		r->inv[i] = (float)((1 - smooth) * (double)r->inv[i] / factor +
		    smooth * (double)r->inv[i]);
	}
}

/* Factors that divide: a GGUF's tensor, or a list in the configuration. */
static int
divide(const struct load *l, struct rope *r, const char *name, const char *word, struct err *e)
{
	size_t n = r->n_rot / 2, k = arch_array(l->arch, word);
	double d;

	if (load_has(l, name)) {
		if (!load_vector(l, name, n, 0, e))
			return -1;
		load_use(l, VECTOR_DIVIDES, r->inv);
		return 0;
	}
	if (k != n)
		return err_set(e, "%s: %zu factors for %zu pairs", word, k, n);
	for (size_t i = 0; i < n; i++) {
		if (!arch_element(l->arch, word, i, &d))
			return err_set(e, "%s: number %zu is none", word, i);
		r->inv[i] /= (float)d;
	}
	return 0;
}

static int
longrope(const struct load *l, struct model *m, struct rope *r, struct err *e)
{
	double orig = value(l, "original_max_position_embeddings",
	    value(l, "rope_parameters.original_max_position_embeddings", m->h.n_ctx));
	double s = m->h.n_ctx / orig;
	bool is_long = l->n_ctx > orig;

	/* Which list depends on how long the context will be. */
	if (divide(l, r, is_long ? "rope_factors_long.weight" : "rope_factors_short.weight",
	    is_long ? "rope_parameters.long_factor" : "rope_parameters.short_factor", e) < 0)
		return -1;
	r->mscale = (float)value(l, "rope_parameters.attention_factor",
	    s > 1 ? sqrt(1 + log(s) / log(orig)) : 1);
	return 0;
}

static int
rotation(struct load *l, struct model *m, struct err *e)
{
	const char *type = arch_string(l->arch, "rope_parameters.rope_type");
	double theta = value(l, "rope_parameters.rope_theta", 10000);
	double factor = value(l, "rope_parameters.factor", 1);
	double part = value(l, "rope_parameters.partial_rotary_factor", 1);
	struct rope *r = &m->rope[0], *swa = &m->rope[1];

	if (is(l, "gpt2"))
		return 0;
	r->n_rot = swa->n_rot = (unsigned)(part * m->h.head_dim);
	if (!(part > 0 && part <= 1) || !(theta > 0) || !(factor > 0))
		return err_set(e, "rotation of %g of a head, theta %g, factor %g", part, theta,
		    factor);
	if (inverse(r, theta, e) < 0 ||
	    inverse(swa, value(l, "rope_local_base_freq", is(l, "gemma3") ? 10000 : theta), e) < 0)
		return -1;
	if (load_has(l, "rope_freqs.weight"))
		return divide(l, r, "rope_freqs.weight", "", e);
	if (load_has(l, "rope_factors_long.weight"))
		return longrope(l, m, r, e);
	if (!type || !strcmp(type, "default"))
		return 0;
	if (!strcmp(type, "linear"))
		for (unsigned i = 0; i < r->n_rot / 2; i++)
			r->inv[i] = (float)((double)r->inv[i] / factor);
	else if (!strcmp(type, "yarn"))
		yarn(l, r, theta, factor);
	else if (!strcmp(type, "llama3"))
		llama3(l, r, factor);
	else if (!strcmp(type, "longrope") || !strcmp(type, "su"))
		return longrope(l, m, r, e);
	else
		return err_set(e, "rope_type %s is not known", type);
	return 0;
}

int
load_hparams(struct load *l, struct model *m, struct err *e)
{
	struct hparams *h = &m->h;

	h->arch = arch_gguf(l->arch);
	h->gated = !is(l, "gpt2");
	h->gelu = gemma(l) || is(l, "gpt2");
	h->qk_whole = is(l, "olmo2");
	h->adjacent = l->conv == ARCH_GGUF && (is(l, "llama") || is(l, "granite"));
	if (sizes(l, h, e) < 0 || mixture(l, h, e) < 0 || state_space(l, h, e) < 0 ||
	    scales(l, h, e) < 0)
		return -1;
	return rotation(l, m, e);
}

/* What differs from layer to layer. */
int
load_layer_kind(const struct load *l, const struct hparams *h, unsigned i, struct layer *y,
    struct err *e)
{
	const char *type = arch_element_string(l->arch, "layer_types", i);
	unsigned window = 0, every = 0;

	if (count(l, "sliding_window", 0, &window, e) < 0)
		return -1;
	/* Qwen's is switched off by a flag. */
	if (!strncmp(h->arch, "qwen", 4) && !flag(l, "use_sliding_window", false))
		window = 0;
	y->window = window;
	if (type)
		y->window = strcmp(type, "sliding_attention") ? 0 : window;
	else if (is(l, "gemma2"))
		y->window = i % 2 ? 0 : window;
	else if (is(l, "gemma3"))
		y->window = (i + 1) % 6 ? window : 0;
	y->rope = is(l, "gemma3") && y->window ? 1 : 0;
	y->mixer = MIX_ATTENTION;
	if (is(l, "qwen35")) {
		if (count(l, "full_attention_interval", 4, &every, e) < 0)
			return -1;
		if (type ? !strcmp(type, "linear_attention") : every && (i + 1) % every)
			y->mixer = MIX_DELTANET;
	}
	return 0;
}
