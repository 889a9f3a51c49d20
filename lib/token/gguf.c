/* SPDX-License-Identifier: MIT */
/* gguf.c -- a tokenizer from GGUF's tokenizer.* keys. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"

const unsigned char kv_size[KV_TYPES] = {
	[KV_U8] = 1, [KV_I8] = 1, [KV_U16] = 2, [KV_I16] = 2, [KV_U32] = 4,
	[KV_I32] = 4, [KV_F32] = 4, [KV_BOOL] = 1, [KV_U64] = 8, [KV_I64] = 8,
	[KV_F64] = 8,
};

const char *const gguf_id_key[VOCAB_SPECIALS] = {
	[VOCAB_BOS] = GGML "bos_token_id", [VOCAB_EOS] = GGML "eos_token_id",
	[VOCAB_UNK] = GGML "unknown_token_id",
	[VOCAB_SEP] = GGML "seperator_token_id",	/* so spelt */
	[VOCAB_PAD] = GGML "padding_token_id", [VOCAB_MASK] = GGML "mask_token_id",
	[VOCAB_EOT] = GGML "eot_token_id", [VOCAB_EOM] = GGML "eom_token_id",
};

const char *const gguf_model[VOCAB_UNIGRAM + 1] = {
	[VOCAB_BPE] = "gpt2", [VOCAB_SPM] = "llama", [VOCAB_UNIGRAM] = "t5",
};

/* A value on its way out of its bytes. */
struct cursor {
	const struct vocab_kv *kv;
	const unsigned char *p, *end;
	unsigned	 type;		/* of a scalar, or of an array's elements */
	uint64_t	 n;		/* elements */
	bool		 array;
};

static int
cut_off(const struct cursor *c, struct err *e)
{
	return err_set(e, "%s: the value is cut off", c->kv->key);
}

static int
begin(struct cursor *c, const struct vocab_kv *kv, struct err *e)
{
	*c = (struct cursor){ .kv = kv, .p = kv->p, .end = kv->p + kv->n, .n = 1 };
	if (kv->n < 4)
		return cut_off(c, e);
	c->type = le32_get(c->p);
	c->p += 4;
	if (c->type == KV_ARRAY) {
		if (kv->n < 16)
			return cut_off(c, e);
		c->array = true;
		c->type = le32_get(c->p);
		c->n = le64_get(c->p + 4);
		c->p += 12;
	}
	if (c->type >= KV_TYPES || c->type == KV_ARRAY)
		return err_set(e, "%s: unknown type %u", kv->key, c->type);
	/* Every element takes bytes: counts are checked before memory. */
	if (c->n > (uint64_t)(c->end - c->p) / (kv_size[c->type] ? kv_size[c->type] : 8))
		return err_set(e, "%s: %" PRIu64 " elements in %td bytes", kv->key, c->n,
		    c->end - c->p);
	return 0;
}

static int
string(struct cursor *c, const char **s, size_t *n, struct err *e)
{
	uint64_t len;

	if (c->type != KV_STRING)
		return err_set(e, "%s: is not made of strings", c->kv->key);
	if (c->end - c->p < 8 || (len = le64_get(c->p)) > (uint64_t)(c->end - c->p - 8))
		return cut_off(c, e);
	*s = (const char *)c->p + 8;
	*n = (size_t)len;
	c->p += 8 + len;
	return 0;
}

static int
integer(struct cursor *c, int64_t *v, struct err *e)
{
	size_t size = kv_size[c->type];
	const unsigned char *p = c->p;

	if ((size_t)(c->end - p) < size)
		return cut_off(c, e);
	c->p += size;
	switch (c->type) {
	case KV_U8:
	case KV_BOOL:
		*v = p[0];
		return 0;
	case KV_I8:
		*v = (int8_t)p[0];
		return 0;
	case KV_U16:
		*v = le16_get(p);
		return 0;
	case KV_I16:
		*v = (int16_t)le16_get(p);
		return 0;
	case KV_U32:
		*v = le32_get(p);
		return 0;
	case KV_I32:
		*v = (int32_t)le32_get(p);
		return 0;
	case KV_U64:
	case KV_I64:
		*v = (int64_t)le64_get(p);
		return 0;
	}
	return err_set(e, "%s: is not made of integers", c->kv->key);
}

static int
tokens(struct vocab *v, struct cursor *c, struct err *e)
{
	const char *s = NULL;
	size_t n = 0;

	if (c->n > VOCAB_MAX)
		return err_set(e, "%s: %" PRIu64 " tokens: at most %u are allowed",
		    c->kv->key, c->n, VOCAB_MAX);
	if (vocab_room(v, (size_t)c->n, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n; i++)
		if (string(c, &s, &n, e) < 0 ||
		    vocab_token(v, i, s, n, VOCAB_NORMAL, 0, e) < 0)
			return -1;
	v->rows = v->ntoken;
	vocab_key(v, VOCAB_KEY_TOKENS);
	return 0;
}

/* As many as tokens, which have come. */
static int
lengths(const struct vocab *v, const struct cursor *c, struct err *e)
{
	return c->n == v->ntoken ? 0 : err_set(e, "%s: %" PRIu64 " elements for %zu tokens",
	    c->kv->key, c->n, v->ntoken);
}

static int
scores(struct vocab *v, struct cursor *c, struct err *e)
{
	bool same = true;
	uint32_t u;

	if (c->type != KV_F32)
		return err_set(e, "%s: is not made of f32", c->kv->key);
	if (lengths(v, c, e) < 0)
		return -1;
	for (size_t i = 0; i < v->ntoken; i++) {
		u = le32_get(c->p + 4 * i);
		memcpy(&v->token[i].score, &u, sizeof u);
		if (!isfinite(v->token[i].score))
			return err_set(e, "%s: token %zu: no finite number", c->kv->key, i);
		same &= v->token[i].score == v->token[0].score;
	}
	v->scores = !same;
	return 0;
}

static int
types(struct vocab *v, struct cursor *c, struct err *e)
{
	int64_t t = 0;

	if (lengths(v, c, e) < 0)
		return -1;
	for (size_t i = 0; i < v->ntoken; i++) {
		if (integer(c, &t, e) < 0)
			return -1;
		/* 0 is what older files call undefined. */
		if (t < 0 || t > VOCAB_BYTE)
			return err_set(e, "%s: token %zu: type %" PRId64 " is not one of 1"
			    " to 6", c->kv->key, i, t);
		v->token[i].type = t ? (uint8_t)t : VOCAB_NORMAL;
	}
	return 0;
}

static int
merges(struct vocab *v, struct cursor *c, struct err *e)
{
	const char *s;
	size_t n;

	for (uint64_t i = 0; i < c->n; i++)
		if (string(c, &s, &n, e) < 0 || vocab_merge_text(v, s, n, e) < 0)
			return err_prefix(e, "%s", c->kv->key);
	return 0;
}

static int
model(struct vocab *v, struct cursor *c, struct err *e)
{
	const char *s;
	size_t n;

	if (string(c, &s, &n, e) < 0)
		return -1;
	for (int k = VOCAB_BPE; k <= VOCAB_UNIGRAM; k++)
		if (n == strlen(gguf_model[k]) && !memcmp(s, gguf_model[k], n))
			v->kind = (enum vocab_kind)k;
	if (v->kind == VOCAB_NONE && (n != 4 || memcmp(s, "none", 4)) &&
	    (n != 8 || memcmp(s, "no_vocab", 8)))
		return err_set(e, "%s: a tokenizer of kind %.*s is not supported (gpt2,"
		    " llama and t5 are)", c->kv->key, (int)(n > 64 ? 64 : n), s);
	return 0;
}

static int
pre(struct vocab *v, struct cursor *c, struct err *e)
{
	const char *s;
	size_t n;

	if (string(c, &s, &n, e) < 0)
		return -1;
	if (!(v->pre_name = arena_strn(&v->arena, s, n)))
		return err_set(e, "out of memory");
	return 0;
}

static int
chat(struct vocab *v, struct cursor *c, const char *name, struct err *e)
{
	const char *s;
	size_t n;

	return string(c, &s, &n, e) < 0 ? -1 : vocab_chat(v, name, s, n, e);
}

static int
flag(struct vocab *v, struct cursor *c, unsigned key, struct err *e)
{
	int64_t on;

	if (c->type != KV_BOOL || integer(c, &on, e) < 0)
		return err_set(e, "%s: is not a bool", c->kv->key);
	if (key == VOCAB_KEY_LOWERCASE || key == VOCAB_KEY_STRIP_ACCENTS) {
		if (on)
			v->norm |= key == VOCAB_KEY_LOWERCASE ? VOCAB_LOWERCASE :
			    VOCAB_STRIP_ACCENTS;
		vocab_key(v, key);
	} else
		vocab_flag(v, key, on != 0);
	return 0;
}

static int
charsmap(struct vocab *v, struct cursor *c, struct err *e)
{
	if (!c->array || kv_size[c->type] != 1)
		return err_set(e, "%s: is not an array of bytes", c->kv->key);
	v->ncharsmap = (size_t)c->n;
	v->charsmap = (unsigned char *)arena_strn(&v->arena, c->p, v->ncharsmap);
	if (!v->charsmap)
		return err_set(e, "out of memory");
	vocab_key(v, VOCAB_KEY_CHARSMAP);
	return 0;
}

static const struct { const char *key; unsigned flag; } flags[] = {
	{ GGML "add_bos_token", VOCAB_KEY_ADD_BOS },
	{ GGML "add_eos_token", VOCAB_KEY_ADD_EOS },
	{ GGML "add_sep_token", VOCAB_KEY_ADD_SEP },
	{ GGML "add_space_prefix", VOCAB_KEY_SPACE_PREFIX },
	{ GGML "remove_extra_whitespaces", VOCAB_KEY_EXTRA_BLANKS },
	{ GGML "normalizer.lowercase", VOCAB_KEY_LOWERCASE },
	{ GGML "normalizer.strip_accents", VOCAB_KEY_STRIP_ACCENTS },
};

/* Keys that may come in any order. */
static int
any(struct vocab *v, const struct vocab_kv *kv, struct err *e)
{
	const char *key = kv->key;
	struct cursor c;
	int64_t id;

	if (begin(&c, kv, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (!strcmp(key, flags[i].key))
			return flag(v, &c, flags[i].flag, e);
	for (enum vocab_special i = 0; i < VOCAB_SPECIALS; i++)
		if (gguf_id_key[i] && !strcmp(key, gguf_id_key[i])) {
			if (c.array || integer(&c, &id, e) < 0)
				return err_set(e, "%s: is not an integer", key);
			vocab_id(v, i, id);
			return 0;
		}
	if (!strcmp(key, GGML "pre"))
		return pre(v, &c, e);
	if (!strcmp(key, GGML "merges"))
		return merges(v, &c, e);
	if (!strcmp(key, GGML "precompiled_charsmap"))
		return charsmap(v, &c, e);
	if (!strcmp(key, TEMPLATE))
		return chat(v, &c, NULL, e);
	if (!strncmp(key, TEMPLATE ".", sizeof TEMPLATE))
		return chat(v, &c, key + sizeof TEMPLATE, e);
	if (strcmp(key, GGML "token_type_count") && strcmp(key, "tokenizer.chat_templates"))
		vocab_warn(v, "%s has no place outside GGUF", key);
	return 0;
}

static const struct vocab_kv *
find(const struct vocab_kv *kv, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(kv[i].key, key))
			return &kv[i];
	return NULL;
}

/* Padding is no token: "[PAD1000]" at its own id, unused, or, as converters
 * once had it, unknown. */
static void
unpad(struct vocab *v)
{
	char s[24];

	for (size_t i = 0; i < v->ntoken; i++) {
		struct vocab_token *t = &v->token[i];
		int n = snprintf(s, sizeof s, "[PAD%zu]", i);

		if ((t->type == VOCAB_UNUSED || t->type == VOCAB_UNKNOWN) && t->len == (size_t)n &&
		    !memcmp(vocab_bytes(v, i), s, t->len))
			memset(t, 0, sizeof *t);
	}
	while (v->ntoken > 0 && v->token[v->ntoken - 1].type == 0)
		v->ntoken--;
}

static int
finish(struct vocab *v, struct err *e)
{
	size_t bytes = 0;
	int32_t twice;

	for (enum vocab_special i = 0; i < VOCAB_SPECIALS; i++)
		if (v->id[i] >= 0 && (size_t)v->id[i] >= v->rows)
			return err_set(e, "%s: id %d is beyond the %zu tokens",
			    gguf_id_key[i], v->id[i], v->rows);
	unpad(v);
	for (size_t i = 0; i < v->ntoken; i++) {
		if (v->token[i].type == VOCAB_CONTROL || v->token[i].type == VOCAB_USER)
			v->token[i].flags = VOCAB_ADDED | (v->token[i].type == VOCAB_CONTROL ?
			    VOCAB_SPECIAL : 0);
		bytes += v->token[i].type == VOCAB_BYTE;
	}
	if (v->kind == VOCAB_BPE) {
		if (v->pre_name && (v->pre = vocab_pre_by_name(v->pre_name))) {
			v->norm |= v->pre->norm;
			v->whole = v->pre->whole;
		} else
			v->pre_why = v->pre_name ? v->pre_name : "tokenizer.ggml.pre is missing";
	} else
		v->byte_fallback = bytes == 256;
	return vocab_index(v, &twice, e);
}

int
vocab_from_gguf(struct vocab *v, const struct vocab_kv *kv, size_t n, struct err *e)
{
	static const struct {
		const char *key;
		int (*read)(struct vocab *, struct cursor *, struct err *);
	} first[] = {
		{ GGML "model", model }, { GGML "tokens", tokens }, { GGML "scores", scores },
		{ GGML "token_type", types },
	};
	const struct vocab_kv *at;
	struct cursor c;

	if (!find(kv, n, GGML "model"))
		return 0;
	for (size_t i = 0; i < 4; i++) {
		if (!(at = find(kv, n, first[i].key)))
			continue;
		if (begin(&c, at, e) < 0 || first[i].read(v, &c, e) < 0)
			return -1;
		if (v->kind == VOCAB_NONE)
			return 0;
		if (i > 0 && !c.array)
			return err_set(e, "%s: is no array", at->key);
	}
	if (v->ntoken == 0)
		return err_set(e, GGML "tokens: there are none");
	/* The keys' order is kept, so the block counts where model stands. */
	v->nkey = 0;
	for (size_t i = 0; i < n; i++) {
		bool known = !strcmp(kv[i].key, GGML "model");

		if (known)
			vocab_key(v, VOCAB_KEY_TOKENS);
		for (size_t k = 0; k < 4; k++)
			known |= !strcmp(kv[i].key, first[k].key);
		if (!known && !strncmp(kv[i].key, "tokenizer.", 10) &&
		    any(v, &kv[i], e) < 0)
			return -1;
	}
	return finish(v, e);
}
