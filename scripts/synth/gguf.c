/* SPDX-License-Identifier: MIT */
/* gguf.c -- .gguf. */
#include <string.h>

#include "synth.h"

static uint64_t nkeys;

static void
str(FILE *f, const char *s)
{
	le(f, strlen(s), 8);
	fputs(s, f);
}

/* A key; all but general and tokenizer are the architecture's. */
static void
key(FILE *f, const struct shape *s, const char *k, unsigned type)
{
	bool own = strncmp(k, "general.", 8) && strncmp(k, "tokenizer.", 10);
	char buf[128];

	snprintf(buf, sizeof buf, "%s%s%s", own ? s->arch : "", own ? "." : "", k);
	str(f, buf);
	le(f, type, 4);
	nkeys++;
}

static void
key_str(FILE *f, const struct shape *s, const char *k, const char *v)
{
	key(f, s, k, 8);
	str(f, v);
}

static void
key_u32(FILE *f, const struct shape *s, const char *k, uint64_t v)
{
	key(f, s, k, 4);
	le(f, v, 4);
}

static void
key_f32(FILE *f, const struct shape *s, const char *k, double v)
{
	float x = (float)v;
	uint32_t u;

	memcpy(&u, &x, sizeof u);
	key(f, s, k, 6);
	le(f, u, 4);
}

static void
keys(FILE *f, const struct shape *s)
{
	/* general.file_type by number of type */
	static const int8_t ftype[64] = { [1] = 1, [2] = 2, [3] = 3, [6] = 8,
	    [7] = 9, [8] = 7, [10] = 10, [11] = 11, [12] = 14, [13] = 16,
	    [14] = 18, [16] = 19, [17] = 20, [18] = 23, [19] = 24, [20] = 25,
	    [21] = 26, [22] = 28, [23] = 30, [29] = 31, [30] = 32, [34] = 36,
	    [35] = 37, [39] = 38, [40] = 39, [41] = 40, [42] = 41 };

	key_str(f, s, "general.architecture", s->arch);
	key_str(f, s, "general.type", "model");
	key_str(f, s, "general.name", s->name);
	for (const struct field *d = fields; d < fields + nfields; d++)
		if (value(s, d, 1) > 0)
			key_u32(f, s, d->names[1], value(s, d, 1));
	if (s->theta > 0)
		key_f32(f, s, "rope.freq_base", s->theta);
	key_f32(f, s, s->parts == synth_gpt2 ? "attention.layer_norm_epsilon" :
	    "attention.layer_norm_rms_epsilon", s->eps);
	key_u32(f, s, "general.file_type", opt.mix ? 15 : (uint64_t)ftype[opt.type->ggml & 63]);
	key_u32(f, s, "general.quantization_version", 2);
	if (opt.no_vocab)
		key_str(f, s, "tokenizer.ggml.model", "no_vocab");
	if (opt.tokenizer) {
		size_t w = token_width(s, 12);
		key_str(f, s, "tokenizer.ggml.model", "gpt2");
		key_str(f, s, "tokenizer.ggml.pre", "default");
		key(f, s, "tokenizer.ggml.tokens", 9);
		le(f, 8, 4);
		le(f, s->vocab, 8);
		for (uint64_t i = 0; i < s->vocab; i++) {
			le(f, w, 8);
			token(f, i, w);
		}
		key(f, s, "tokenizer.ggml.token_type", 9);
		le(f, 5, 4);
		le(f, s->vocab, 8);
		for (uint64_t i = 0; i < s->vocab; i++)
			le(f, 1, 4);
	}
}

void
write_gguf(const struct shape *s, const char *path)
{
	struct mem kv, head, infos;
	struct out o;
	FILE *f = mem_open(&kv);

	place(tensors, ntensors, 32);
	keys(f, s);
	f = mem_open(&infos);
	for (struct tensor *t = tensors; t < tensors + ntensors; t++) {
		str(f, t->name);
		le(f, t->ndim, 4);
		for (unsigned i = t->ndim; i-- > 0;)
			le(f, t->dim[i], 8);
		le(f, (uint64_t)t->type->ggml, 4);
		le(f, t->off, 8);
	}
	f = mem_open(&head);
	fputs("GGUF", f);
	le(f, 3, 4);
	le(f, ntensors, 8);
	le(f, nkeys, 8);

	out_open(&o, "", path, false);
	mem_put(&head, &o);
	mem_put(&kv, &o);
	mem_put(&infos, &o);
	pad(&o, 32);
	put_data(&o, tensors, ntensors, 32);
	out_close(&o);
}
