/* SPDX-License-Identifier: MIT */
/*
 * apr_meta.c -- the metadata of an .apr that comes from elsewhere: the keys
 * that aprender's importer writes (for an architecture that is not known, as
 * far as the source has them), and the travelling files, complete, under
 * apr_tools.files.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "apr.h"

/* What config.json and GGUF call a key, and what aprender does; in the
 * order of its typed fields. */
static const struct { const char *apr, *hf, *gguf; } keys[] = {
	{ "architecture", "model_type", "general.architecture" },
	{ "hf_model_type", "model_type", NULL },
	{ "hidden_size", "hidden_size", ".embedding_length" },
	{ "num_layers", "num_hidden_layers", ".block_count" },
	{ "num_heads", "num_attention_heads", ".attention.head_count" },
	{ "num_kv_heads", "num_key_value_heads", ".attention.head_count_kv" },
	{ "vocab_size", "vocab_size", ".vocab_size" },
	{ "intermediate_size", "intermediate_size", ".feed_forward_length" },
	{ "max_position_embeddings", "max_position_embeddings", ".context_length" },
	{ "rope_theta", "rope_theta", ".rope.freq_base" },
	{ "rms_norm_eps", "rms_norm_eps", ".attention.layer_norm_rms_epsilon" },
	{ "head_dim", "head_dim", ".attention.key_length" },
	{ "num_experts", "num_experts", ".expert_count" },
	{ "num_experts_per_tok", "num_experts_per_tok", ".expert_used_count" },
	{ "moe_intermediate_size", "moe_intermediate_size", ".expert_feed_forward_length" },
};
#define NKEYS	(sizeof keys / sizeof *keys)

struct found {
	struct buf	 value[NKEYS];
	int		 depth, rope;	/* rope: inside rope_parameters, depth 2 */
	unsigned	 next;		/* bits of keys that the next value is for */
	bool		 rope_next;
};

static bool
matches(const char *pattern, const char *s, size_t n)
{
	size_t k = pattern ? strlen(pattern) : 0;

	if (k == 0 || n < k || memcmp(s + n - k, pattern, k))
		return false;
	return *pattern == '.' ? !memchr(s, '.', n - k) : n == k;
}

/* Scalars of the top level, and rope_parameters.rope_theta. */
static int
event(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct found *f = ctx;
	unsigned next = f->next;

	f->next = 0;
	if (ev == JSON_KEY) {
		f->rope_next = f->depth == 1 && n == 15 && !memcmp(s, "rope_parameters", 15);
		for (size_t i = 0; i < NKEYS; i++)
			if (((f->depth == 1 || (f->depth == 2 && f->rope && i == 9)) &&
			    matches(keys[i].hf, s, n)) ||
			    (f->depth == 1 && matches(keys[i].gguf, s, n)))
				f->next |= 1u << i;
		return 0;
	}
	if (ev == JSON_OBJECT || ev == JSON_ARRAY) {
		if (++f->depth == 2)
			f->rope = f->rope_next && ev == JSON_OBJECT;
		return 0;
	}
	if (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END) {
		f->depth--;
		return 0;
	}
	for (size_t i = 0; i < NKEYS; i++) {
		struct buf *b = &f->value[i];

		if (!(next & 1u << i) || (ev != JSON_NUMBER && ev != JSON_STRING))
			continue;
		if ((i < 2) != (ev == JSON_STRING))
			continue;	/* a wrong kind makes aprender refuse all */
		b->len = 0;
		if (ev == JSON_STRING)
			buf_json(b, s, n);
		else
			buf_put(b, s, n);
		if (buf_check(b, e) < 0)
			return -1;
	}
	return 0;
}

static void
put_base64(struct buf *b, const unsigned char *p, size_t n)
{
	static const char d[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	buf_str(b, "{\"base64\":\"");
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) |
		    (i + 2 < n ? p[i + 2] : 0);
		char c[4] = { d[v >> 18], d[v >> 12 & 63],
		    i + 1 < n ? d[v >> 6 & 63] : '=', i + 2 < n ? d[v & 63] : '=' };

		buf_put(b, c, 4);
	}
	buf_str(b, "\"}");
}

static void
put_files(const struct layout_in *in, struct buf *b)
{
	bool any = false;

	for (size_t i = 0; i < in->nfiles; i++) {
		const struct carried *f = &in->files[i];

		if (!strncmp(f->name, ".source/", 8))
			continue;
		buf_str(b, any ? "," : ",\"apr_tools.files\":{");
		any = true;
		buf_json(b, f->name, strlen(f->name));
		buf_str(b, ":");
		if (utf8_valid(f->p, f->n))
			buf_json(b, f->p, f->n);
		else
			put_base64(b, f->p, f->n);
	}
	if (any)
		buf_str(b, "}");
}

int
apr_metadata(const struct layout_in *in, bool tied, struct buf *b, struct err *e)
{
	const struct manifest *m = in->m;
	struct found f = { 0 };
	uint64_t params = 0;
	int r;

	if (in->members) {
		*b = *in->members;
		*in->members = (struct buf){ 0 };
		put_files(in, b);
		buf_str(b, "}");
		return buf_check(b, e);
	}
	r = m->metadata ? json_text("metadata", m->metadata, strlen(m->metadata),
	    event, &f, e) : 0;

	for (size_t i = 0; i < in->n; i++)
		params += m->tensor[in->which[i]].n;
	buf_str(b, "{\"model_type\":");
	if (f.value[0].len)
		buf_put(b, f.value[0].p, f.value[0].len);
	else
		buf_str(b, "\"\"");
	buf_printf(b, ",\"license\":null,\"data_source\":null,\"data_license\":null,"
	    "\"original_format\":\"%s\",\"total_size\":0,\"param_count\":%" PRIu64,
	    m->source && !strcmp(m->source, "gguf") ? "gguf" : "safetensors", params);
	for (size_t i = 0; i < NKEYS; i++) {
		if (i == 10 && f.value[0].len)	/* half rotation; pairs in GGUF order */
			buf_printf(b, ",\"rope_type\":%d",
			    m->convention && !strcmp(m->convention, "gguf") &&
			    !memcmp(f.value[0].p, "\"llama\"", 7) ? 0 : 2);
		if (f.value[i].len)
			buf_printf(b, ",\"%s\":%.*s", keys[i].apr,
			    (int)f.value[i].len, (char *)f.value[i].p);
	}
	for (size_t i = 0; i < NKEYS; i++)
		buf_release(&f.value[i]);
	if (tied)
		buf_str(b, ",\"tied_embeddings\":true");
	put_files(in, b);
	buf_str(b, "}");
	return r < 0 ? -1 : buf_check(b, e);
}
