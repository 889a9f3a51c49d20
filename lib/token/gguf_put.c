/* SPDX-License-Identifier: MIT */
/* gguf_put.c -- a tokenizer as GGUF's keys, in the order and with the values
 * of convert_hf_to_gguf.py. */
#include <stdio.h>
#include <string.h>

#include <apr/size.h>

#include "gguf.h"

#define PAD_SCORE	-10000.0f

struct writer {
	struct vocab	*v;
	struct buf	*out;
	uint64_t	*nkv;
	bool		(*want)(void *, const char *);
	void		*ctx;
};

static void
u32(struct buf *b, uint32_t n)
{
	unsigned char p[4];

	le32_put(p, n);
	buf_put(b, p, 4);
}

static void
u64(struct buf *b, uint64_t n)
{
	unsigned char p[8];

	le64_put(p, n);
	buf_put(b, p, 8);
}

static void
bytes(struct buf *b, const void *p, size_t n)
{
	u64(b, n);
	buf_put(b, p, n);
}

/* Key and type, if the key is wanted. */
static bool
begin(struct writer *w, const char *key, enum kv_type type)
{
	if (w->want && !w->want(w->ctx, key))
		return false;
	bytes(w->out, key, strlen(key));
	u32(w->out, type);
	++*w->nkv;
	return true;
}

static bool
begin_array(struct writer *w, const char *key, enum kv_type type, size_t n)
{
	if (!begin(w, key, KV_ARRAY))
		return false;
	u32(w->out, type);
	u64(w->out, n);
	return true;
}

static void
put_string(struct writer *w, const char *key, const char *s, size_t n)
{
	if (n > 0 && begin(w, key, KV_STRING))
		bytes(w->out, s, n);
}

static void
put_bool(struct writer *w, const char *key, int on)
{
	unsigned char b = on != 0;

	if (begin(w, key, KV_BOOL))
		buf_put(w->out, &b, 1);
}

static const struct vocab_token *
token(const struct vocab *v, size_t id)
{
	return id < v->ntoken && v->token[id].type ? &v->token[id] : NULL;
}

static void
put_tokens(struct writer *w)
{
	const struct vocab *v = w->v;
	char pad[24];

	if (!begin_array(w, GGML "tokens", KV_STRING, v->rows))
		return;
	for (size_t i = 0; i < v->rows; i++) {
		const struct vocab_token *t = token(v, i);

		if (t)
			bytes(w->out, vocab_bytes(v, i), t->len);
		else
			bytes(w->out, pad, (size_t)snprintf(pad, sizeof pad, "[PAD%zu]", i));
	}
}

static void
put_scores(struct writer *w)
{
	const struct vocab *v = w->v;
	uint32_t u;

	if (!begin_array(w, GGML "scores", KV_F32, v->rows))
		return;
	for (size_t i = 0; i < v->rows; i++) {
		const struct vocab_token *t = token(v, i);
		float f = t ? t->score : PAD_SCORE;

		memcpy(&u, &f, sizeof u);
		u32(w->out, u);
	}
}

static void
put_types(struct writer *w)
{
	const struct vocab *v = w->v;

	if (!begin_array(w, GGML "token_type", KV_I32, v->rows))
		return;
	for (size_t i = 0; i < v->rows; i++)
		u32(w->out, token(v, i) ? v->token[i].type : VOCAB_UNUSED);
}

/* A blank inside a part stands as the byte alphabet's letter for it. */
static int
put_merges(struct writer *w, struct err *e)
{
	const struct vocab *v = w->v;
	struct buf one = { 0 };
	int r = 0;

	if (v->nmerge == 0 || !begin_array(w, GGML "merges", KV_STRING, v->nmerge))
		return 0;
	for (size_t i = 0; i < v->nmerge && r == 0; i++) {
		const struct vocab_merge *m = &v->merge[i];
		const unsigned char *s = v->text.p + m->at;
		size_t n = (size_t)m->left + m->right;

		if (!memchr(s, ' ', n)) {
			u64(w->out, n + 1);
			buf_put(w->out, s, m->left);
			buf_str(w->out, " ");
			buf_put(w->out, s + m->left, m->right);
			continue;
		}
		one.len = 0;
		for (size_t k = 0; k < n; k++) {
			if (k == m->left)
				buf_str(&one, " ");
			if (s[k] == ' ')
				buf_str(&one, "\xc4\xa0");
			else
				buf_put(&one, s + k, 1);
		}
		bytes(w->out, one.p, one.len);
		if (one.len > VOCAB_TEXT)
			r = err_set(e, "the tokenizer: merge %zu has %zu bytes in GGUF: at most %d"
			    " are allowed", i, one.len, VOCAB_TEXT);
	}
	w->out->bad |= one.bad;
	buf_release(&one);
	return r;
}

/* What readers of GGUF will not do as the source does. */
static void
losses(struct vocab *v)
{
	size_t strips = 0;

	for (size_t i = 0; i < v->ntoken; i++)
		strips += (v->token[i].flags & (VOCAB_LSTRIP | VOCAB_RSTRIP | VOCAB_WORD)) != 0;
	if (strips)
		vocab_warn(v, "%zu added tokens take blanks around them, or stand for whole"
		    " words: GGUF cannot say so", strips);
	if (v->kind == VOCAB_SPM && !v->scores)
		vocab_warn(v, "GGUF keeps no merges of SentencePiece's kind, and the scores"
		    " are all the same: readers will merge in another order");
	if (v->kind == VOCAB_SPM && v->extra_blanks == 1)
		vocab_warn(v, "that runs of blanks are removed is not recorded in GGUF");
	if (v->kind == VOCAB_SPM && v->space_prefix == 0 &&
	    !memchr(v->key, VOCAB_KEY_SPACE_PREFIX, v->nkey))
		vocab_warn(v, "that texts do not begin with a blank is not recorded in GGUF:"
		    " readers put one there");
	if (v->kind != VOCAB_BPE || !v->pre)
		return;
	if (v->space_prefix == 1)
		vocab_warn(v, "that texts begin with a blank is not recorded in GGUF");
	if ((v->norm & 15) != v->pre->norm)
		vocab_warn(v, "the tokenizer's Unicode normalization%s is not recorded in"
		    " GGUF; published tokenizers with the cut %s %s", v->norm & 15 ? "" :
		    " (none)", v->pre_name, v->pre->norm ? "have one" : "have none");
	if (v->whole != v->pre->whole)
		vocab_warn(v, "ignore_merges is %s, but readers of GGUF take the cut %s to"
		    " mean %s", v->whole ? "true" : "false", v->pre_name,
		    v->pre->whole ? "true" : "false");
}

/* model ... merges. */
static int
put_block(struct writer *w, struct err *e)
{
	struct vocab *v = w->v;
	const char *model = gguf_model[v->kind];
	const char *pre = v->kind == VOCAB_BPE ? v->pre_name : "default";

	if (!pre && (!w->want || w->want(w->ctx, GGML "pre")))
		return err_set(e, "the tokenizer: GGUF has no name for the way in which it"
		    " cuts text before merging: %s; if one fits, set tokenizer.ggml.pre",
		    v->pre_why ? v->pre_why : "nothing says how");
	put_string(w, GGML "model", model, strlen(model));
	if (pre)
		put_string(w, GGML "pre", pre, strlen(pre));
	put_tokens(w);
	if (v->kind != VOCAB_BPE)
		put_scores(w);
	put_types(w);
	if (v->kind == VOCAB_BPE && put_merges(w, e) < 0)
		return -1;
	losses(v);
	return 0;
}

static void
put_templates(struct writer *w)
{
	const struct vocab *v = w->v;
	const struct vocab_template *main = NULL;
	struct buf key = { 0 };
	size_t named = 0;

	for (size_t i = 0; i < v->nchat; i++) {
		const struct vocab_template *t = &v->chat[i];

		if (!t->name) {
			main = t;
			continue;
		}
		named++;
		key.len = 0;
		buf_str(&key, TEMPLATE ".");
		buf_put(&key, t->name, strlen(t->name) + 1);
		if (!key.bad)
			put_string(w, (const char *)key.p, t->text, t->n);
	}
	w->out->bad |= key.bad;
	buf_release(&key);
	if (named && begin_array(w, "tokenizer.chat_templates", KV_STRING, named))
		for (size_t i = 0; i < v->nchat; i++)
			if (v->chat[i].name)
				bytes(w->out, v->chat[i].name, strlen(v->chat[i].name));
	if (main)
		put_string(w, TEMPLATE, main->text, main->n);
}

static int
put_key(struct writer *w, unsigned key, struct err *e)
{
	const struct vocab *v = w->v;

	switch (key) {
	case VOCAB_KEY_TOKENS:
		return put_block(w, e);
	case VOCAB_KEY_SPACE_PREFIX:
		put_bool(w, GGML "add_space_prefix", v->space_prefix);
		return 0;
	case VOCAB_KEY_EXTRA_BLANKS:
		put_bool(w, GGML "remove_extra_whitespaces", v->extra_blanks);
		return 0;
	case VOCAB_KEY_CHARSMAP:
		if (begin_array(w, GGML "precompiled_charsmap", KV_U8, v->ncharsmap))
			buf_put(w->out, v->charsmap, v->ncharsmap);
		return 0;
	case VOCAB_KEY_ADD_BOS:
		put_bool(w, GGML "add_bos_token", v->add_bos);
		return 0;
	case VOCAB_KEY_ADD_EOS:
		put_bool(w, GGML "add_eos_token", v->add_eos);
		return 0;
	case VOCAB_KEY_ADD_SEP:
		put_bool(w, GGML "add_sep_token", v->add_sep);
		return 0;
	case VOCAB_KEY_LOWERCASE:
		put_bool(w, GGML "normalizer.lowercase", v->norm & VOCAB_LOWERCASE);
		return 0;
	case VOCAB_KEY_STRIP_ACCENTS:
		put_bool(w, GGML "normalizer.strip_accents", v->norm & VOCAB_STRIP_ACCENTS);
		return 0;
	case VOCAB_KEY_TEMPLATES:
		put_templates(w);
		return 0;
	}
	key -= VOCAB_KEY_ID;
	if (gguf_id_key[key] && begin(w, gguf_id_key[key], KV_U32))
		u32(w->out, (uint32_t)v->id[key]);
	return 0;
}

int
vocab_put_gguf(struct vocab *v, struct buf *out, uint64_t *nkv,
    bool (*want)(void *, const char *key), void *ctx, struct err *e)
{
	struct writer w = { v, out, nkv, want, ctx };

	if (v->kind == VOCAB_NONE)
		return 0;
	for (size_t i = 0; i < v->nkey; i++)
		if (put_key(&w, v->key[i], e) < 0)
			return -1;
	return buf_check(out, e);
}
