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
compare(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int r = strcmp(x->name, y->name);

	if (r == 0)
		r = (x->at.expert > y->at.expert) - (x->at.expert < y->at.expert);
	return r ? r : (x->at.part > y->at.part) - (x->at.part < y->at.part);
}

struct named *
load_find(const struct load *l, const char *name, long expert, unsigned part)
{
	struct named key = { .name = name, .at = { .expert = expert, .part = part } };

	return bsearch(&key, l->named, l->n, sizeof key, compare);
}

bool
load_has(const struct load *l, const char *name)
{
	return load_find(l, name, -1, 0) != NULL;
}

/* All tensors under GGUF's names; what the architecture does not know is an
 * error, so that nothing is silently left out. */
static int
name_all(struct load *l, struct err *e)
{
	const struct manifest *mf = l->w->m;
	char gguf[TENSOR_NAME + 1];
	struct arch_place at;

	if (!(l->named = calloc(mf->ntensor + 1, sizeof *l->named)))
		return err_set(e, "out of memory");
	for (size_t i = 0; i < mf->ntensor; i++) {
		const struct tensor *t = &mf->tensor[i];
		const char *name = t->name;

		if (t->tied_to)
			continue;
		if (!arch_role(l->arch, l->conv, t->name, gguf, &at))
			return err_set(e, "%s: no tensor of %s has this name", t->name,
			    arch_gguf(l->arch));
		if (!*gguf)
			continue;	/* known, and not needed */
		if (!(name = arena_strn(l->arena, gguf, strlen(gguf))))
			return err_set(e, "out of memory");
		l->named[l->n++] = (struct named){ name, at, i, false };
	}
	qsort(l->named, l->n, sizeof *l->named, compare);
	for (size_t i = 1; i < l->n; i++)
		if (!compare(&l->named[i - 1], &l->named[i]))
			return err_set(e, "%s and %s are both %s", mf->tensor[l->named[i - 1].tensor].name,
			    mf->tensor[l->named[i].tensor].name, l->named[i].name);
	return 0;
}

static const float *
vector(const struct load *l, const char *name, unsigned part, size_t n, float add, struct err *e)
{
	struct named *x = load_find(l, name, -1, part);
	const struct tensor *t;
	float *v;

	if (!x) {
		err_set(e, "%s is missing", name);
		return NULL;
	}
	t = &l->w->m->tensor[x->tensor];
	if (t->n != n || !t->type->to_f32 || t->type->block != 1 || (t->type->flags & TYPE_INTEGER)) {
		err_set(e, "%s: %" PRIu64 " elements in %s, not %zu floats", t->name, t->n,
		    t->type->name, n);
		return NULL;
	}
	if (!(v = arena_alloc(l->arena, n * sizeof *v + 1))) {
		err_set(e, "out of memory");
		return NULL;
	}
	x->used = true;
	type_decoder(t->type)(v, l->w->data[x->tensor], n);
	for (size_t i = 0; i < n; i++) {
		if (!isfinite(v[i])) {
			err_set(e, "%s: element %zu is %g", t->name, i, (double)v[i]);
			return NULL;
		}
		v[i] += add;
	}
	return v;
}

const float *
load_vector(const struct load *l, const char *name, size_t n, float add, struct err *e)
{
	return vector(l, name, 0, n, add, e);
}

/* Set *v where there is such a tensor. */
static int
maybe(const struct load *l, const char *name, size_t n, float add, const float **v,
    struct err *e)
{
	if (!load_has(l, name))
		return 0;
	*v = load_vector(l, name, n, add, e);
	return *v ? 0 : -1;
}

/* A tensor of the shape [.., rows, cols] as one matrix of them all. */
static int
as_matrix(const struct load *l, struct named *x, size_t rows, size_t cols, bool transposed,
    struct mat *m, struct err *e)
{
	const struct tensor *t = &l->w->m->tensor[x->tensor];
	uint64_t last = t->ndim ? t->dim[t->ndim - 1] : 0;
	char shape[128];

	if (t->n != (uint64_t)rows * cols || last != (transposed ? rows : cols))
		return err_set(e, "%s: shape %s, not %zu x %zu%s", t->name,
		    tensor_shape(t, shape, sizeof shape), rows, cols,
		    transposed ? " (transposed)" : "");
	if ((t->type->flags & TYPE_INTEGER) || (!t->type->to_f32 && !(t->type->flags & TYPE_WHOLE)))
		return err_set(e, "%s: %s cannot be multiplied", t->name, t->type->name);
	*m = (struct mat){ .type = t->type, .data = l->w->data[x->tensor], .rows = rows,
	    .cols = cols, .stride = (size_t)tensor_row_bytes(t), .transposed = transposed };
	if (t->type->flags & TYPE_WHOLE) {
		type_f32.to_f32(&m->scale, m->data, 1);
		m->data = (const unsigned char *)m->data + 4;
		m->stride = cols;
		if (!isfinite(m->scale))
			return err_set(e, "%s: its scale is %g", t->name, (double)m->scale);
	}
	/* Nor do these two have rows of bytes. */
	if (transposed && (t->type->flags & (TYPE_WHOLE | TYPE_FLAT)))
		m->stride = rows;
	x->used = true;
	return 0;
}

static int
matrix(const struct load *l, const char *name, size_t rows, size_t cols, bool transposed,
    struct mat *m, struct err *e)
{
	struct named *x = load_find(l, name, -1, 0);

	return x ? as_matrix(l, x, rows, cols, transposed, m, e) :
	    err_set(e, "%s is missing", name);
}

/* What one layer's names are made from. */
struct at {
	struct load	*l;
	struct hparams	*h;
	unsigned	 i;
	char		 name[128];
};

static const char *
block(struct at *a, const char *role)
{
	snprintf(a->name, sizeof a->name, "blk.%u.%s", a->i, role);
	return a->name;
}

static int
norms(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd, q = h->qk_whole ? (size_t)h->n_head * h->head_dim : h->head_dim;
	size_t k = h->qk_whole ? (size_t)h->n_kv * h->head_dim : h->head_dim;
	bool after = !strcmp(h->arch, "olmo2");
	/* Stored less 1 outside GGUF. */
	float add = a->l->conv != ARCH_GGUF && (!strncmp(h->arch, "gemma", 5) ||
	    !strcmp(h->arch, "qwen35")) ? 1 : 0;

	if (maybe(a->l, block(a, "attn_norm.weight"), d, add, &y->attn_norm, e) < 0 ||
	    maybe(a->l, block(a, "attn_norm.bias"), d, 0, &y->attn_norm_b, e) < 0 ||
	    maybe(a->l, block(a, "ffn_norm.weight"), d, add, &y->ffn_norm, e) < 0 ||
	    maybe(a->l, block(a, "ffn_norm.bias"), d, 0, &y->ffn_norm_b, e) < 0 ||
	    maybe(a->l, block(a, "post_attention_norm.weight"), d, add, &y->post_attn_norm, e) < 0 ||
	    maybe(a->l, block(a, "post_ffw_norm.weight"), d, add, &y->post_ffn_norm, e) < 0 ||
	    maybe(a->l, block(a, "attn_q_norm.weight"), q, add, &y->q_norm, e) < 0 ||
	    maybe(a->l, block(a, "attn_k_norm.weight"), k, add, &y->k_norm, e) < 0)
		return -1;
	/* Qwen 3.5 has its second norm under the name of gemma's third. */
	if (!strcmp(h->arch, "qwen35")) {
		y->ffn_norm = y->post_attn_norm;
		y->post_attn_norm = NULL;
	}
	if (after ? !y->post_attn_norm || !y->post_ffn_norm : !y->attn_norm || !y->ffn_norm)
		return err_set(e, "layer %u has not its norms", a->i);
	if (h->layer_norm && (!y->attn_norm_b || !y->ffn_norm_b))
		return err_set(e, "layer %u has not its norms' biases", a->i);
	if ((!strncmp(h->arch, "qwen3", 5) || !strcmp(h->arch, "gemma3") || after) &&
	    y->mixer == MIX_ATTENTION && (!y->q_norm || !y->k_norm))
		return err_set(e, "layer %u has not its norms of queries and keys", a->i);
	return 0;
}

/* q, k, v, alone or one behind the other. */
static int
attention(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd, nq = (size_t)h->n_head * h->head_dim * (h->q_gate ? 2 : 1);
	size_t nk = (size_t)h->n_kv * h->head_dim, no = (size_t)h->n_head * h->head_dim;
	bool conv1d = !strcmp(h->arch, "gpt2") && a->l->conv != ARCH_GGUF;
	struct named *fused = load_find(a->l, block(a, "attn_qkv.weight"), -1, 0);
	const float *b = NULL;
	struct mat m;

	if (fused && fused->at.parts == 3) {
		struct { size_t rows; struct mat *m; const float **b; } part[] = {
			{ nq, &y->q, &y->q_b }, { nk, &y->k, &y->k_b }, { nk, &y->v, &y->v_b },
		};

		for (unsigned i = 0; i < 3; i++) {
			struct named *x = load_find(a->l, block(a, "attn_qkv.weight"), -1, i);

			if (!x)
				return err_set(e, "%s: part %u of 3 is missing", a->name, i + 1);
			if (as_matrix(a->l, x, part[i].rows, d, conv1d, part[i].m, e) < 0)
				return -1;
			if (load_find(a->l, block(a, "attn_qkv.bias"), -1, i) &&
			    !(*part[i].b = vector(a->l, a->name, i, part[i].rows, 0, e)))
				return -1;
		}
	} else if (fused) {
		block(a, "attn_qkv.weight");
		if (matrix(a->l, a->name, nq + 2 * nk, d, conv1d, &m, e) < 0 ||
		    maybe(a->l, block(a, "attn_qkv.bias"), nq + 2 * nk, 0, &b, e) < 0)
			return -1;
		y->q = mat_slice(&m, 0, nq);
		y->k = mat_slice(&m, nq, nk);
		y->v = mat_slice(&m, nq + nk, nk);
		if (b) {
			y->q_b = b;
			y->k_b = b + nq;
			y->v_b = b + nq + nk;
		}
	} else if (matrix(a->l, block(a, "attn_q.weight"), nq, d, conv1d, &y->q, e) < 0 ||
	    matrix(a->l, block(a, "attn_k.weight"), nk, d, conv1d, &y->k, e) < 0 ||
	    matrix(a->l, block(a, "attn_v.weight"), nk, d, conv1d, &y->v, e) < 0 ||
	    maybe(a->l, block(a, "attn_q.bias"), nq, 0, &y->q_b, e) < 0 ||
	    maybe(a->l, block(a, "attn_k.bias"), nk, 0, &y->k_b, e) < 0 ||
	    maybe(a->l, block(a, "attn_v.bias"), nk, 0, &y->v_b, e) < 0) {
		return -1;
	}
	/* Random models show what a missing bias does; real ones may hide it. */
	if ((!strcmp(h->arch, "qwen2") || h->layer_norm) && (!y->q_b || !y->k_b || !y->v_b))
		return err_set(e, "layer %u has not its biases of queries, keys and values", a->i);
	if (matrix(a->l, block(a, "attn_output.weight"), d, no, conv1d, &y->o, e) < 0)
		return -1;
	return maybe(a->l, block(a, "attn_output.bias"), d, 0, &y->o_b, e);
}

static int
deltanet(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd, vals = (size_t)h->nv * h->dv;
	size_t channels = 2 * (size_t)h->nk * h->dk + vals;
	float *rate;

	if (matrix(a->l, block(a, "attn_qkv.weight"), channels, d, false, &y->qkv, e) < 0 ||
	    matrix(a->l, block(a, "attn_gate.weight"), vals, d, false, &y->z, e) < 0 ||
	    matrix(a->l, block(a, "ssm_alpha.weight"), h->nv, d, false, &y->alpha, e) < 0 ||
	    matrix(a->l, block(a, "ssm_beta.weight"), h->nv, d, false, &y->beta, e) < 0 ||
	    matrix(a->l, block(a, "ssm_out.weight"), d, vals, false, &y->out, e) < 0 ||
	    !(y->conv = load_vector(a->l, block(a, "ssm_conv1d.weight"), channels * h->n_conv, 0, e)) ||
	    !(y->ssm_norm = load_vector(a->l, block(a, "ssm_norm.weight"), h->dv, 0, e)) ||
	    !(y->dt_b = load_vector(a->l, block(a, "ssm_dt.bias"), h->nv, 0, e)) ||
	    !(y->a = load_vector(a->l, block(a, "ssm_a"), h->nv, 0, e)))
		return -1;
	if (a->l->conv == ARCH_GGUF)
		return 0;
	/* A_log elsewhere. */
	rate = arena_alloc(a->l->arena, h->nv * sizeof *rate);
	if (!rate)
		return err_set(e, "out of memory");
	for (unsigned i = 0; i < h->nv; i++)
		rate[i] = (float)-exp((double)y->a[i]);
	y->a = rate;
	return 0;
}

static int
dense(struct at *a, struct layer *y, struct err *e)
{
	struct hparams *h = a->h;
	size_t d = h->n_embd;
	bool conv1d = !strcmp(h->arch, "gpt2") && a->l->conv != ARCH_GGUF;
	struct named *up = load_find(a->l, block(a, "ffn_up.weight"), -1, 0), *second;
	struct mat both;

	/* GPT-2's inner size is what the matrix says. */
	if (up && conv1d && d)
		h->n_ff = (unsigned)(a->l->w->m->tensor[up->tensor].n / d);
	if (up && up->at.parts == 2) {
		if (!(second = load_find(a->l, a->name, -1, 1)))
			return err_set(e, "%s: part 2 of 2 is missing", a->name);
		if (as_matrix(a->l, up, h->n_ff, d, false, &y->gate, e) < 0 ||
		    as_matrix(a->l, second, h->n_ff, d, false, &y->up, e) < 0)
			return -1;
	} else if (h->gated && !load_has(a->l, block(a, "ffn_gate.weight"))) {
		if (matrix(a->l, block(a, "ffn_up.weight"), 2 * (size_t)h->n_ff, d, false, &both, e) < 0)
			return -1;
		y->gate = mat_slice(&both, 0, h->n_ff);
		y->up = mat_slice(&both, h->n_ff, h->n_ff);
	} else if ((h->gated && matrix(a->l, block(a, "ffn_gate.weight"), h->n_ff, d, false,
	    &y->gate, e) < 0) ||
	    matrix(a->l, block(a, "ffn_up.weight"), h->n_ff, d, conv1d, &y->up, e) < 0) {
		return -1;
	}
	if (maybe(a->l, block(a, "ffn_up.bias"), h->n_ff, 0, &y->up_b, e) < 0 ||
	    maybe(a->l, block(a, "ffn_down.bias"), d, 0, &y->down_b, e) < 0)
		return -1;
	if (h->layer_norm && (!y->up_b || !y->down_b))
		return err_set(e, "layer %u has not its biases", a->i);
	return matrix(a->l, block(a, "ffn_down.weight"), d, h->n_ff, conv1d, &y->down, e);
}

/* A stack, or one tensor each. */
static int
stack(struct at *a, const char *role, size_t rows, size_t cols, struct mat **out, struct err *e)
{
	unsigned n = a->h->n_expert;
	struct mat *m = arena_alloc(a->l->arena, n * sizeof *m), all;
	struct named *x;

	block(a, role);
	if (!m)
		return err_set(e, "out of memory");
	*out = m;
	if (load_has(a->l, a->name)) {
		if (matrix(a->l, a->name, n * rows, cols, false, &all, e) < 0)
			return -1;
		for (unsigned i = 0; i < n; i++)
			m[i] = mat_slice(&all, i * rows, rows);
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		if (!(x = load_find(a->l, a->name, (long)i, 0)))
			return err_set(e, "%s: expert %u is missing", a->name, i);
		if (as_matrix(a->l, x, rows, cols, false, &m[i], e) < 0)
			return -1;
	}
	return 0;
}

/* Gate's rows, then up's, expert by expert. */
static int
pairs(struct at *a, struct named *x, size_t f, size_t d, struct experts *out, struct err *e)
{
	unsigned n = a->h->n_expert;
	struct mat all;

	if (as_matrix(a->l, x, n * 2 * f, d, false, &all, e) < 0)
		return -1;
	if (!(out->gate = arena_alloc(a->l->arena, n * sizeof *out->gate)) ||
	    !(out->up = arena_alloc(a->l->arena, n * sizeof *out->up)))
		return err_set(e, "out of memory");
	for (unsigned i = 0; i < n; i++) {
		out->gate[i] = mat_slice(&all, 2 * i * f, f);
		out->up[i] = mat_slice(&all, (2 * i + 1) * f, f);
	}
	return 0;
}

static int
mixture(struct at *a, struct layer *y, struct err *e)
{
	size_t d = a->h->n_embd, f = a->h->n_ff_exp;
	struct named *both = load_find(a->l, block(a, "ffn_gate_exps.weight"), -1, 0);

	if (both && both->at.stacks == 2)
		return matrix(a->l, block(a, "ffn_gate_inp.weight"), a->h->n_expert, d, false,
		    &y->router, e) < 0 || pairs(a, both, f, d, &y->exp, e) < 0 ||
		    stack(a, "ffn_down_exps.weight", d, f, &y->exp.down, e) < 0 ? -1 : 0;

	return matrix(a->l, block(a, "ffn_gate_inp.weight"), a->h->n_expert, d, false, &y->router, e) < 0 ||
	    stack(a, "ffn_gate_exps.weight", f, d, &y->exp.gate, e) < 0 ||
	    stack(a, "ffn_up_exps.weight", f, d, &y->exp.up, e) < 0 ||
	    stack(a, "ffn_down_exps.weight", d, f, &y->exp.down, e) < 0 ? -1 : 0;
}

static int
layers(struct load *l, struct model *m, struct err *e)
{
	struct at a = { .l = l, .h = &m->h };

	if (!(m->layer = arena_alloc(&m->arena, m->h.n_layer * sizeof *m->layer)))
		return err_set(e, "out of memory");
	for (unsigned i = 0; i < m->h.n_layer; i++) {
		struct layer *y = &m->layer[i];

		a.i = i;
		if (load_layer_kind(l, &m->h, i, y, e) < 0 || norms(&a, y, e) < 0 ||
		    (y->mixer == MIX_ATTENTION ? attention(&a, y, e) : deltanet(&a, y, e)) < 0)
			return -1;
		if ((load_has(l, block(&a, "ffn_gate_inp.weight")) ? mixture(&a, y, e) :
		    dense(&a, y, e)) < 0)
			return -1;
	}
	return 0;
}

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
	if (as_matrix(l, embd, h->n_vocab, h->n_embd, false, &m->embd, e) < 0)
		return -1;
	m->output = m->embd;
	if (load_has(l, "output.weight") && strncmp(h->arch, "gemma", 5) &&
	    matrix(l, "output.weight", h->n_vocab, h->n_embd, false, &m->output, e) < 0)
		return -1;
	if (!strcmp(h->arch, "gpt2") && matrix(l, "position_embd.weight", h->n_ctx, h->n_embd,
	    false, &m->pos_embd, e) < 0)
		return -1;
	if (maybe(l, "output_norm.bias", h->n_embd, 0, &m->out_norm_b, e) < 0)
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
	l.arena = &m->arena;
	if (open_arch(&l, e) == 0 && name_all(&l, e) == 0) {
		m->source = l.arch;
		r = load_hparams(&l, m, e);
		if (r == 0)
			r = edges(&l, m, e);
		if (r == 0)
			r = layers(&l, m, e);
		if (r == 0)
			r = account(&l, m, e);
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
