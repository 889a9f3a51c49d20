/* SPDX-License-Identifier: MIT */
/* tensors.c -- the tensors of a model: names, shapes, types, places. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "synth.h"

struct tensor *tensors;
size_t ntensors;
uint64_t weights, payload;

char *
expand(const char *s, uint64_t layer, uint64_t expert)
{
	struct mem m;

	for (mem_open(&m); *s != '\0'; s++)
		if (*s == '#' || *s == '@')
			fprintf(m.f, "%" PRIu64, *s == '#' ? layer : expert);
		else
			putc(*s, m.f);
	if (fclose(m.f) != 0)
		die(1, "out of memory");
	return m.buf;
}

static uint64_t
dim_of(const struct shape *s, enum dim d)
{
	switch (d) {
	case HID: return s->hidden;
	case HID3: return 3 * s->hidden;
	case Q: return s->heads * s->head_dim;
	case KV: return s->kv * s->head_dim;
	case HD: return s->head_dim;
	case FFN: return s->ffn;
	case VOC: return s->vocab;
	case CTX: return s->ctx;
	case EXP: return s->experts;
	case MFF: return s->moe_ffn;
	case NONE: break;
	}
	return 0;
}

static const char *				/* NULL: not in this format */
name_in(const struct part *p, int kind)
{
	const char *name = kind == GGUF ? p->gguf : kind == APR ? p->apr : p->hf;

	return name != NULL && *name == '\0' ? p->hf : name;
}

/* Whether llama-quantize's Q4_K_M has Q6_K for this one. */
static bool
better(const struct shape *s, const struct tensor *t)
{
	uint64_t n = s->layers, i = t->layer;

	if (!strcmp(t->name, s->flags & UNTIED ? "output.weight" : "token_embd.weight"))
		return true;
	return (strstr(t->name, ".attn_v.weight") || strstr(t->name, ".ffn_down")) &&
	    (i < n / 8 || i >= 7 * n / 8 || (i - n / 8) % 3 == 2);
}

static const struct type *
type_for(const struct shape *s, const struct tensor *t, int kind)
{
	const struct type *want = opt.mix && better(s, t) ? type_named("q6_k") : opt.type;
	uint64_t cols = t->dim[t->ndim - 1];

	for (unsigned i = 0; i < opt.nkeep; i++)
		if (fnmatch(opt.keep[i], t->name, 0) == 0)
			return F32;
	if (t->ndim == 1 && (kind == GGUF || !(want->flags & TYPE_PLAIN)))
		return F32;
	if (kind == GGUF && (strstr(t->name, "ffn_gate_inp.") != NULL ||
	    strstr(t->name, "position_embd.") != NULL))
		return F32;	/* llama.cpp wants them so */
	if (cols % want->block != 0 && !(kind == APR && want->block == 256))
		return F16;	/* .apr pads rows of K types */
	return want;
}

static void
add(const struct shape *s, const struct part *p, int kind, uint64_t layer,
    uint64_t expert)
{
	struct tensor *t = &tensors[ntensors++];
	bool turn = kind == GGUF && p->flags & CONV;
	uint64_t n = 1, rows = dim_of(s, p->rows), cols = dim_of(s, p->cols);

	*t = (struct tensor){ .part = p, .layer = layer, .expert = expert,
	    .name = expand(name_in(p, kind), layer, expert), .parts = 1 };
	if (kind == GGUF && p->flags & EXPERT)
		t->dim[t->ndim++] = t->parts = s->experts;
	t->dim[t->ndim++] = turn ? cols : rows;
	if (p->cols != NONE)
		t->dim[t->ndim++] = turn ? rows : cols;
	t->type = type_for(s, t, kind);
	t->row = (t->dim[t->ndim - 1] + t->type->block - 1) / t->type->block;
	for (unsigned i = 0; i < t->ndim; i++)
		n *= t->dim[i];
	t->bytes = n / t->dim[t->ndim - 1] * t->row * t->type->bytes +
	    (t->type->flags & TYPE_WHOLE ? 4 : 0);
	weights += n;
	payload += t->bytes;
}

void
add_all(const struct shape *s, int kind)
{
	const struct part *p = s->parts, *end;
	size_t max = 0;

	while (p[max].apr != NULL || p[max].hf != NULL)
		max++;
	max *= s->layers * (s->experts + 1);
	tensors = check_alloc(calloc(max, sizeof *tensors));
	while (p->apr != NULL || p->hf != NULL) {
		for (end = p + 1; p->flags & LAYER && end->flags & LAYER;)
			end++;
		for (uint64_t l = 0; l < (p->flags & LAYER ? s->layers : 1); l++)
			for (const struct part *q = p; q < end; q++) {
				uint64_t n = q->flags & EXPERT &&
				    kind != GGUF ? s->experts : 1;
				if (name_in(q, kind) == NULL ||
				    q->flags & NEEDS & ~s->flags)
					continue;
				for (uint64_t e = 0; e < n; e++)
					add(s, q, kind, l, e);
			}
		p = end;
	}
}

int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct tensor *)a)->name,
	    ((const struct tensor *)b)->name);
}

int					/* as the Rust crate sorts */
by_shard(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;

	if (x->shard != y->shard)
		return x->shard < y->shard ? -1 : 1;
	if (x->type->bytes != y->type->bytes)
		return x->type->bytes > y->type->bytes ? -1 : 1;
	return strcmp(x->name, y->name);
}

void
place(struct tensor *t, size_t n, uint64_t align)
{
	for (uint64_t off = 0; n > 0; n--, t++) {
		t->off = off;
		off += (t->bytes + align - 1) & -align;
	}
}
