/* SPDX-License-Identifier: MIT */
/* stat_check.c -- contracts: what no trained tensor's numbers are like, and
 * shapes that the model's own numbers contradict. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <apr/arch.h>
#include <apr/stat.h>

static bool
has(const char *name, const char *const *words)
{
	for (; *words; words++)
		if (strstr(name, *words))
			return true;
	return false;
}

int
stat_check(const struct tensor *t, const struct stat_tensor *st, stat_bad *bad, void *ctx)
{
	static const char *const tables[] = { "embed", "embd", "wte", "wpe", "lm_head", NULL };
	static const char *const vectors[] = { "norm", "bias", "ln_", NULL };
	const struct stat_sums *s = &st->all;
	struct stat_values v = stat_values(s);
	bool table = has(t->name, tables) || !strcmp(t->name, "output.weight");
	double most = table ? 0.5 : 0.8;
	char got[96], want[96];

	if (s->n == 0)
		return bad(ctx, t, "empty", "no elements", "at least one");
	if (s->nan > 0) {
		snprintf(got, sizeof got, "%" PRIu64 " of %" PRIu64, s->nan, s->n);
		if (bad(ctx, t, "nan", got, "none") < 0)
			return -1;
	}
	if (s->inf > 0) {
		snprintf(got, sizeof got, "%" PRIu64 " of %" PRIu64, s->inf, s->n);
		if (bad(ctx, t, "inf", got, "none") < 0)
			return -1;
	}
	if (s->nan + s->inf == s->n)
		return 0;
	if (v.zeros > most) {
		snprintf(got, sizeof got, "%.2f %%", v.zeros * 100);
		snprintf(want, sizeof want, "at most %.0f %%", most * 100);
		if (bad(ctx, t, "zeros", got, want) < 0)
			return -1;
	}
	if (v.l2 < 1e-6) {
		snprintf(got, sizeof got, "%.3g", v.l2);
		if (bad(ctx, t, "l2", got, "at least 1e-06") < 0)
			return -1;
	}
	if (s->n > 1 && v.max - v.min < 1e-10 && !has(t->name, vectors)) {
		snprintf(got, sizeof got, "all are %.9g", v.min);
		if (bad(ctx, t, "constant", got, "different values") < 0)
			return -1;
	}
	return 0;
}

/* Rows and columns in GGUF's layout, as products of a model's numbers. */
enum number { NONE, ONE, EMBD, Q, KV, V, OUT, FF, EXPERT_FF, EXPERTS, VOCAB };

static const struct { const char *role; enum number rows, cols, stack; } shapes[] = {
	{ "token_embd.weight", VOCAB, EMBD, NONE },
	{ "output.weight", VOCAB, EMBD, NONE },
	{ "output_norm.weight", ONE, EMBD, NONE },
	{ "attn_norm.weight", ONE, EMBD, NONE },
	{ "ffn_norm.weight", ONE, EMBD, NONE },
	{ "post_attention_norm.weight", ONE, EMBD, NONE },
	{ "post_ffw_norm.weight", ONE, EMBD, NONE },
	{ "attn_q.weight", Q, EMBD, NONE },
	{ "attn_k.weight", KV, EMBD, NONE },
	{ "attn_v.weight", V, EMBD, NONE },
	{ "attn_output.weight", EMBD, OUT, NONE },
	{ "ffn_gate.weight", FF, EMBD, NONE },
	{ "ffn_down.weight", EMBD, FF, NONE },
	{ "ffn_gate_inp.weight", EXPERTS, EMBD, NONE },
	{ "ffn_gate_exps.weight", EXPERT_FF, EMBD, EXPERTS },
	{ "ffn_up_exps.weight", EXPERT_FF, EMBD, EXPERTS },
	{ "ffn_down_exps.weight", EMBD, EXPERT_FF, EXPERTS },
};

/* 0: the model does not say. */
static uint64_t
number(const struct arch_model *m, const char *key)
{
	uint64_t v;

	return arch_number(m, key, &v) && v < 1u << 30 ? v : 0;
}

static uint64_t
value_of(const struct arch_model *m, enum number what)
{
	uint64_t embd = number(m, "embedding_length"), heads = number(m, "attention.head_count"), k, v;
	uint64_t kv = number(m, "attention.head_count_kv"), ff;
	double words;

	kv = kv ? kv : heads;
	k = number(m, "attention.key_length");
	k = k || !heads ? k : embd / heads;
	v = number(m, "attention.value_length");
	v = v || !heads ? v : embd / heads;
	switch (what) {
	case NONE:
		return 0;
	case ONE:
		return 1;
	case EMBD:
		return embd;
	case Q:
		return heads * k;
	case KV:
		return kv * k;
	case V:
		return kv * v;
	case OUT:
		return heads * v;
	case FF:
		return number(m, "feed_forward_length");
	case EXPERT_FF:
		ff = number(m, "expert_feed_forward_length");
		return ff ? ff : number(m, "feed_forward_length");
	case EXPERTS:
		return number(m, "expert_count");
	case VOCAB:
		return arch_real(m, "vocab_size", &words) && words > 0 && words < 1 << 30 ?
		    (uint64_t)words : 0;
	}
	return 0;
}

/* An .apr may not say what the model needs; then a default proves nothing. */
static bool
stated(const struct manifest *m, enum number what)
{
	const char *word = what == Q || what == KV || what == V || what == OUT ? "\"head_dim\"" :
	    what == EXPERT_FF ? "\"moe_intermediate_size\"" : NULL;

	return !word || !m->source || strcmp(m->source, "apr") ||
	    (m->metadata && strstr(m->metadata, word));
}

int
stat_check_shape(const struct arch_model *m, const struct manifest *man, const struct tensor *t,
    stat_bad *bad, void *ctx)
{
	int conv = arch_conv_by_name(man->convention);
	char gguf[TENSOR_NAME + 1], got[192], want[96];
	struct arch_place place;
	uint64_t rows, cols, stack, n;
	const char *role;
	bool turned, gated;

	if (!m || conv < 0 || !arch_role(m, (enum arch_conv)conv, t->name, gguf, &place) ||
	    !gguf[0] || place.parts > 1 || place.stacks > 1 || t->ndim == 0)
		return 0;
	role = strncmp(gguf, "blk.", 4) ? gguf : strchr(gguf + 4, '.') + 1;
	/* Conv1D's weights are [in, out] but in GGUF; Qwen3.5's queries hold a
	 * gate too. */
	turned = conv != ARCH_GGUF && !strcmp(arch_gguf(m), "gpt2");
	gated = !strncmp(arch_gguf(m), "qwen35", 6) && !strcmp(role, "attn_q.weight");
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		if (strcmp(role, shapes[i].role) || gated)
			continue;
		if (!stated(man, shapes[i].rows) || !stated(man, shapes[i].cols))
			continue;
		rows = value_of(m, shapes[i].rows);
		cols = value_of(m, shapes[i].cols);
		stack = shapes[i].stack == NONE || place.expert >= 0 ? 1 :
		    value_of(m, shapes[i].stack);
		if (rows == 0 || cols == 0 || stack == 0)
			return 0;
		/* Rows behind the vocabulary are padding. */
		n = t->n / t->dim[t->ndim - 1] / stack;
		if (t->dim[t->ndim - 1] == cols && t->n % (cols * stack) == 0 &&
		    (n == rows || (shapes[i].rows == VOCAB && n > rows)))
			return 0;
		if (turned && t->ndim == 2 && t->dim[0] == cols && t->dim[1] == rows)
			return 0;
		if (stack > 1)
			snprintf(want, sizeof want, "[%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]",
			    stack, rows, cols);
		else if (rows > 1)
			snprintf(want, sizeof want, "[%" PRIu64 ", %" PRIu64 "]", rows, cols);
		else
			snprintf(want, sizeof want, "[%" PRIu64 "]", cols);
		return bad(ctx, t, "shape", tensor_shape(t, got, sizeof got), want);
	}
	return 0;
}
