/* SPDX-License-Identifier: MIT */
/* names.c -- from a tensor's name to its row in a table, and back. */
#include <stdio.h>
#include <string.h>

#include "arch.h"

const char *
arch_pattern(const struct arch_tensor *t, enum arch_conv c)
{
	return c == ARCH_GGUF ? t->gguf : c == ARCH_APR && t->apr ? t->apr : t->hf;
}

unsigned
arch_parts_of(const char *pattern)
{
	unsigned n = 1;

	for (; *pattern; pattern++)
		n += *pattern == '|';
	return n;
}

/* A number without leading zeros, as names have them. */
static const char *
take_number(const char *s, long *v)
{
	long n = 0;
	const char *p = s;

	while (*p >= '0' && *p <= '9') {
		if (n > 1000000 || (p > s && *s == '0'))
			return NULL;
		n = n * 10 + (*p++ - '0');
	}
	*v = n;
	return p > s ? p : NULL;
}

/* One of a pattern's names against a whole name. */
static bool
fits(const char *p, const char *s, struct arch_hit *h)
{
	h->layer = h->expert = -1;
	h->bias = false;
	for (; *p && *p != '|'; p++) {
		if (*p == '#' || *p == '@') {
			if (!(s = take_number(s, *p == '#' ? &h->layer : &h->expert)))
				return false;
		} else if (*p == '*') {
			h->bias = !strcmp(s, "bias");
			return h->bias || !strcmp(s, "weight");
		} else if (*p != *s++) {
			return false;
		}
	}
	return *s == '\0';
}

static bool
match(const struct arch *a, enum arch_conv c, const char *name, struct arch_hit *h)
{
	for (const struct arch_tensor *t = a->tensor; t->hf; t++) {
		const char *p = arch_pattern(t, c);

		for (h->part = 0; p; h->part++) {
			if (fits(p, name, h)) {
				h->row = t;
				return true;
			}
			if ((p = strchr(p, '|')))
				p++;
		}
	}
	return false;
}

/* A model of several kinds of input calls its text part so. */
static const char *
without_tower(const char *name, char copy[TENSOR_NAME + 1])
{
	static const char tower[] = "language_model.";
	const char *at = strstr(name, tower);

	if (!at || strlen(name) > TENSOR_NAME)
		return name;
	snprintf(copy, TENSOR_NAME + 1, "%.*s%s", (int)(at - name), name, at + sizeof tower - 1);
	return copy;
}

bool
arch_match(const struct arch_model *m, enum arch_conv c, const char *name,
    struct arch_hit *h)
{
	const char *prefix = m->arch->prefix;
	char copy[TENSOR_NAME + 1];

	if (c == ARCH_HF) {
		name = without_tower(name, copy);
		if (prefix && !strncmp(name, prefix, strlen(prefix)))
			name += strlen(prefix);
	}
	return match(m->arch, c, name, h);
}

void
arch_spell(const struct arch_model *m, enum arch_conv c, const struct arch_hit *h,
    char name[TENSOR_NAME + 1])
{
	const char *p = arch_pattern(h->row, c), *prefix = m->arch->prefix;
	size_t n = 0;

	for (unsigned part = h->part; part > 0; part--)
		p = strchr(p, '|') + 1;
	if (c == ARCH_HF && prefix && strcmp(h->row->hf, "lm_head.weight"))
		n = (size_t)snprintf(name, TENSOR_NAME + 1, "%s", prefix);
	for (; *p && *p != '|'; p++) {
		char one[2] = { *p, '\0' }, number[24];
		const char *s = one;

		if (*p == '#' || *p == '@') {
			snprintf(number, sizeof number, "%ld", *p == '#' ? h->layer : h->expert);
			s = number;
		} else if (*p == '*') {
			s = h->bias ? "bias" : "weight";
		}
		/* The longest pattern and two numbers are far shorter. */
		n += (size_t)snprintf(name + n, TENSOR_NAME + 1 - n, "%s", s);
	}
	name[n] = '\0';
}

bool
arch_gguf_name(const struct arch_model *m, enum arch_conv from, const char *name,
    char gguf[TENSOR_NAME + 1], long *expert)
{
	struct arch_hit h;

	*expert = -1;
	if (!arch_match(m, from, name, &h) || !h.row->gguf)
		return false;
	*expert = h.expert;
	if (from != ARCH_GGUF)
		h.part = 0;	/* of a fused pair: the first is as good */
	arch_spell(m, ARCH_GGUF, &h, gguf);
	return true;
}

struct arch_model *
arch_of(const struct manifest *m, bool *unknown, struct err *e)
{
	const char *text = m->metadata ? m->metadata : "{}";

	*unknown = true;
	if (!m->source || !strcmp(m->source, "safetensors")) {
		err_set(e, "nothing says what architecture it is");
		return NULL;
	}
	return arch_open(m->source, text, strlen(text), unknown, e);
}

int
arch_roles(struct manifest *m, struct err *e)
{
	int conv = arch_conv_by_name(m->convention), r = 1;
	char gguf[TENSOR_NAME + 1];
	struct arch_model *model;
	struct arch_hit h;
	struct err why;
	bool unknown;

	if (conv == ARCH_GGUF || m->roles)
		return 1;
	if (conv < 0 || !(model = arch_of(m, &unknown, &why)))
		return 0;
	for (size_t i = 0; r > 0 && i < m->ntensor; i++) {
		struct tensor *t = &m->tensor[i];

		t->piece = -1;
		if (!arch_match(model, (enum arch_conv)conv, t->name, &h) || !h.row->gguf)
			continue;
		if (h.expert >= 0)
			t->piece = (int32_t)h.expert;
		else if (arch_parts_of(arch_pattern(h.row, (enum arch_conv)conv)) > 1)
			t->piece = (int32_t)h.part;
		h.part = 0;
		t->turned = t->ndim > 1 && (h.row->op == OP_TRANSPOSE ||
		    h.row->op == OP_V_COLUMNS || (conv == ARCH_APR && h.row->apr_op == OP_COLUMNS));
		arch_spell(model, ARCH_GGUF, &h, gguf);
		if (!(t->role = arena_strn(&m->arena, gguf, strlen(gguf))))
			r = err_set(e, "out of memory");
	}
	arch_close(model);
	m->roles = r > 0;
	return r;
}

static bool
ends(const char *name, const char *tail)
{
	size_t n = strlen(name), k = strlen(tail);

	return n >= k && !strcmp(name + n - k, tail);
}

bool
arch_passed_over(const struct arch_model *m, const char *name)
{
	static const char *const tails[] = {
		".attention.masked_bias", ".attention.bias", ".rotary_emb.inv_freq",
	};
	static const char *const towers[] = {
		"visual.", "vision_", "audio_", "projector.", "multi_modal_projector.",
	};

	for (size_t i = 0; i < sizeof tails / sizeof *tails; i++)
		if (ends(name, tails[i]))
			return true;
	for (size_t i = 0; i < sizeof towers / sizeof *towers; i++) {
		size_t n = strlen(towers[i]);

		for (const char *p = name; (p = strstr(p, towers[i])); p += n)
			if (p == name || p[-1] == '.')
				return true;
	}
	if (m->arch == &arch_gpt2)
		return ends(name, ".attn.bias") || ends(name, ".attn.masked_bias");
	return m->arch == &arch_qwen35 && !strncmp(name, "mtp.", 4);
}

bool
arch_keeps_f32(const char *name, unsigned ndim)
{
	const char *p = name;
	long layer;

	if (ndim <= 1 || ends(name, "_norm.weight") || !ends(name, ".weight"))
		return true;
	if (!strcmp(name, "position_embd.weight") || !strcmp(name, "token_types.weight"))
		return true;
	if (strncmp(p, "blk.", 4) || !(p = take_number(p + 4, &layer)))
		return false;
	return !strcmp(p, ".ffn_gate_inp.weight") || !strcmp(p, ".ffn_gate_inp_shexp.weight") ||
	    !strcmp(p, ".ssm_conv1d.weight") || !strcmp(p, ".shortconv.conv.weight");
}
