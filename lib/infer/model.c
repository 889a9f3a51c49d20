/* SPDX-License-Identifier: MIT */
/* model.c -- every weight to its role, and none left over. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/model.h>

#include "load.h"

static int
edges(struct load *l, struct model *m, struct err *e)
{
	struct hparams *h = &m->h;
	struct named *embd = load_find(l, "token_embd.weight", -1, 0);
	float add = l->conv != ARCH_GGUF && (!strncmp(h->arch, "gemma", 5) ||
	    !strcmp(h->arch, "qwen35")) ? 1 : 0;

	if (!embd)
		return err_set(e, "token_embd.weight is missing");
	h->n_vocab = (unsigned)(l->w->m->tensor[embd->tensor].n / h->n_embd);
	if (!h->n_vocab || h->n_vocab > 1u << 24)
		return err_set(e, "a vocabulary of %u", h->n_vocab);
	if (load_as_matrix(l, embd, h->n_vocab, h->n_embd, false, &m->embd, e) < 0)
		return -1;
	m->output = m->embd;
	if (load_has(l, "output.weight") && strncmp(h->arch, "gemma", 5) &&
	    load_matrix(l, "output.weight", h->n_vocab, h->n_embd, false, &m->output, e) < 0)
		return -1;
	if (!strcmp(h->arch, "gpt2") && load_matrix(l, "position_embd.weight", h->n_ctx, h->n_embd,
	    false, &m->pos_embd, e) < 0)
		return -1;
	if (load_maybe(l, "output_norm.bias", h->n_embd, 0, &m->out_norm_b, e) < 0)
		return -1;
	m->out_norm = load_vector(l, "output_norm.weight", h->n_embd, add, e);
	return m->out_norm ? 0 : -1;
}

/* Every weight has its place, and how many bytes a token costs. */
static int
account(struct load *l, struct model *m, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct named *x = &l->named[i];
		const struct tensor *t = &l->w->m->tensor[x->tensor];
		bool tied = m->output.data == m->embd.data;

		if (!x->used && strncmp(x->name, "rope_", 5) && strcmp(x->name, "output.weight"))
			return err_set(e, "%s: %s has no use for it", t->name, m->h.arch);
		m->bytes += t->bytes;
		if (t->ndim > 1 && strcmp(x->name, "token_embd.weight") &&
		    strcmp(x->name, "output.weight") && strcmp(x->name, "position_embd.weight"))
			m->token_weights += strstr(x->name, "_exps.") ?
			    t->n / m->h.n_expert * m->h.n_used : t->n;
		if (!strcmp(x->name, "token_embd.weight") && !tied) {
			m->embd_bytes = t->bytes;
			m->token_bytes += tensor_row_bytes(t);
		} else if (strcmp(x->name, "position_embd.weight"))
			m->token_bytes += strstr(x->name, "_exps.") ?
			    t->bytes / m->h.n_expert * m->h.n_used : t->bytes;
	}
	return 0;
}

static int
by_data(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct part *)a)->data;
	uintptr_t y = (uintptr_t)((const struct part *)b)->data;

	return (x > y) - (x < y);
}

/* What lies where, for a device that wants weights elsewhere. */
static int
parts(struct load *l, struct model *m, struct err *e)
{
	if (!(m->part = arena_alloc(&m->arena, (l->n + 1) * sizeof *m->part)))
		return err_set(e, "out of memory");
	m->floats = true;
	for (size_t i = 0; i < l->n; i++) {
		size_t t = l->named[i].tensor;
		const struct tensor *x = &l->w->m->tensor[t];

		if (!l->w->data[t])
			continue;
		m->part[m->nparts++] = (struct part){ .t = x, .data = l->w->data[t] };
		m->floats &= x->type->block == 1 && x->type->bytes > 1;
	}
	qsort(m->part, m->nparts, sizeof *m->part, by_data);
	return 0;
}

/*
 * aprender's quantizer drops what it does not need itself, and guesses.
 * (GPT-2 adds its positions up: nothing turns, by no angle.)
 */
static int
complete(const struct load *l, const char *json, struct err *e)
{
	static const char *const words[] = {
		"\"rms_norm_eps\"", "\"max_position_embeddings\"", "\"rope_theta\"",
	};
	size_t n = sizeof words / sizeof *words - !strcmp(arch_gguf(l->arch), "gpt2");

	for (size_t i = 0; l->conv == ARCH_APR && i < n; i++)
		if (!strstr(json, words[i]))
			return err_set(e, "the metadata does not say %s, and a guess would be one",
			    words[i]);
	return 0;
}

static int
open_arch(struct load *l, struct err *e)
{
	const struct manifest *mf = l->w->m;
	const char *json = mf->metadata, *source = mf->source ? mf->source : "gguf";
	const unsigned char *config;
	bool unknown, bad;
	size_t n;
	int c;

	config = weights_file(l->w, "config.json", &n, &bad, e);
	if (bad)
		return -1;
	if (config && strcmp(source, "gguf")) {
		json = (const char *)config;
		source = "hf";
	} else if (json) {
		n = strlen(json);
	} else {
		return err_set(e, "no metadata says what kind of model this is");
	}
	if (!(l->arch = arch_open(source, json, n, &unknown, e)))
		return -1;
	c = arch_conv_by_name(mf->convention ? mf->convention :
	    !strcmp(mf->source, "gguf") ? "gguf" : !strcmp(mf->source, "apr") ? "apr" : "hf");
	l->conv = c < 0 ? ARCH_HF : (enum arch_conv)c;
	return strcmp(source, "apr") ? 0 : complete(l, json, e);
}

struct model *
model_new(struct weights *w, unsigned n_ctx, struct err *e)
{
	struct model *m = calloc(1, sizeof *m);
	struct load l = { .w = w, .n_ctx = n_ctx };
	int r = -1;

	if (!m) {
		err_set(e, "out of memory");
		return NULL;
	}
	l.model = m;
	l.arena = &m->arena;
	if (open_arch(&l, e) == 0 && load_names(&l, e) == 0) {
		m->source = l.arch;
		r = load_hparams(&l, m, e);
		if (r == 0)
			r = edges(&l, m, e);
		if (r == 0)
			r = load_layers(&l, m, e);
		if (r == 0)
			r = account(&l, m, e);
		if (r == 0)
			r = parts(&l, m, e);
		model_sort_vectors(m);
		if (r == 0 && !source_is_stream(w->source))
			r = model_take_all(m, w, e);
	} else {
		m->source = l.arch;
	}
	free(l.named);
	if (r == 0)
		return m;
	model_free(m);
	return NULL;
}

void
model_free(struct model *m)
{
	if (!m)
		return;
	arch_close(m->source);
	free(m->rope[0].inv);
	free(m->rope[1].inv);
	free(m->vector);
	arena_release(&m->arena);
	free(m);
}

const char *
model_arch(const struct model *m)
{
	return m->h.arch;
}

unsigned
model_layers(const struct model *m)
{
	return m->h.n_layer;
}

unsigned
model_vocab(const struct model *m)
{
	return m->h.n_vocab;
}

unsigned
model_context(const struct model *m)
{
	return m->h.n_ctx;
}

uint64_t
model_bytes(const struct model *m)
{
	return m->bytes;
}

uint64_t
model_used_bytes(const struct model *m, uint64_t n)
{
	uint64_t row = m->embd_bytes / m->h.n_vocab;

	return m->bytes - m->embd_bytes + row * (n < m->h.n_vocab ? n : m->h.n_vocab);
}

uint64_t
model_token_bytes(const struct model *m)
{
	return m->token_bytes;
}

uint64_t
model_token_weights(const struct model *m)
{
	return m->token_weights;
}
