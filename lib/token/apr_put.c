/* SPDX-License-Identifier: MIT */
/* apr_put.c -- a tokenizer into an .apr's metadata. */
#include <inttypes.h>
#include <string.h>

#include "apr.h"

static void
key(struct buf *b, unsigned rule)
{
	buf_printf(b, ",\"%s\":", apr_rule[rule].path);
}

static void
number_key(struct buf *b, unsigned rule, uint64_t n)
{
	key(b, rule);
	buf_printf(b, "%" PRIu64, n);
}

static void
bool_key(struct buf *b, unsigned rule, int on)
{
	key(b, rule);
	buf_str(b, on ? "true" : "false");
}

static void
string_key(struct buf *b, unsigned rule, const char *s, size_t n)
{
	key(b, rule);
	buf_json(b, s, n);
}

static bool
there(const struct vocab *v, size_t i)
{
	return i < v->ntoken && v->token[i].type != 0;
}

/* One element a row; pads are aprender's. */
static void
put_tokens(const struct vocab *v, struct buf *b)
{
	key(b, VOCABULARY);
	for (size_t i = 0; i < v->rows; i++) {
		buf_str(b, i ? "," : "[");
		if (there(v, i))
			buf_json(b, vocab_bytes(v, i), v->token[i].len);
		else
			buf_str(b, "\"<unk>\"");
	}
	buf_str(b, v->rows ? "]" : "[]");
	key(b, TYPES);
	for (size_t i = 0; i < v->rows; i++)
		buf_printf(b, "%s%d", i ? "," : "[", there(v, i) ? v->token[i].type :
		    VOCAB_UNUSED);
	buf_str(b, v->rows ? "]" : "[]");
	if (!v->scores)
		return;
	key(b, SCORES);
	for (size_t i = 0; i < v->rows; i++) {
		buf_str(b, i ? "," : "[");
		buf_real32(b, there(v, i) ? v->token[i].score : -10000.0f);
	}
	buf_str(b, v->rows ? "]" : "[]");
}

/* "left right"; a pair where the first blank is another. */
static void
put_merges(const struct vocab *v, struct buf *b)
{
	struct buf s = { 0 };

	key(b, MERGES);
	for (size_t i = 0; i < v->nmerge; i++) {
		const struct vocab_merge *m = &v->merge[i];
		const unsigned char *p = v->text.p + m->at;

		buf_str(b, i ? "," : "[");
		if (memchr(p + 1, ' ', m->left - 1u)) {
			buf_str(b, "[");
			buf_json(b, p, m->left);
			buf_str(b, ",");
			buf_json(b, p + m->left, m->right);
			buf_str(b, "]");
			continue;
		}
		s.len = 0;
		buf_put(&s, p, m->left);
		buf_str(&s, " ");
		buf_put(&s, p + m->left, m->right);
		buf_json(b, s.p, s.len);
	}
	buf_str(b, v->nmerge ? "]" : "[]");
	b->bad |= s.bad;
	buf_release(&s);
}

static void
put_templates(const struct vocab *v, struct buf *b)
{
	bool any = false;

	for (size_t i = 0; i < v->nchat; i++)
		if (!v->chat[i].name)
			string_key(b, CHAT, v->chat[i].text, v->chat[i].n);
	for (size_t i = 0; i < v->nchat; i++) {
		const struct vocab_template *t = &v->chat[i];

		if (!t->name)
			continue;
		if (!any)
			key(b, TEMPLATES);
		buf_str(b, any ? "," : "{");
		any = true;
		buf_json(b, t->name, strlen(t->name));
		buf_str(b, ":");
		buf_json(b, t->text, t->n);
	}
	if (any)
		buf_str(b, "}");
}

static void
put_norms(const struct vocab *v, struct buf *b)
{
	bool any = false;

	key(b, NORMS);
	buf_str(b, "[");
	for (size_t i = 0; i < APR_NORMS; i++)
		if (v->norm & apr_norm[i].norm) {
			buf_printf(b, "%s\"%s\"", any ? "," : "", apr_norm[i].name);
			any = true;
		}
	buf_str(b, "]");
}

static void
put_key(const struct vocab *v, unsigned k, struct buf *b)
{
	switch (k) {
	case VOCAB_KEY_SPACE_PREFIX:
		bool_key(b, SPACE_PREFIX, v->space_prefix);
		break;
	case VOCAB_KEY_EXTRA_BLANKS:
		bool_key(b, EXTRA_BLANKS, v->extra_blanks);
		break;
	case VOCAB_KEY_ADD_BOS:
		bool_key(b, ADD_BOS, v->add_bos);
		break;
	case VOCAB_KEY_ADD_EOS:
		bool_key(b, ADD_EOS, v->add_eos);
		break;
	case VOCAB_KEY_ADD_SEP:
		bool_key(b, ADD_SEP, v->add_sep);
		break;
	case VOCAB_KEY_TEMPLATES:
		put_templates(v, b);
		break;
	case VOCAB_KEY_CHARSMAP:
		key(b, CHARSMAP);
		buf_str(b, "\"");
		vocab_put_base64(b, v->charsmap, v->ncharsmap);
		buf_str(b, "\"");
		break;
	default:
		if (k >= VOCAB_KEY_ID)
			number_key(b, IDS + k - VOCAB_KEY_ID, (uint64_t)v->id[k - VOCAB_KEY_ID]);
	}
}

int
vocab_put_apr(struct vocab *v, struct buf *b, struct err *e)
{
	static const char *const type[] = { [VOCAB_BPE] = "BPE", [VOCAB_SPM] = "BPE",
	    [VOCAB_UNIGRAM] = "Unigram" };
	static const char *const model[] = { [VOCAB_BPE] = "gpt2", [VOCAB_SPM] = "llama",
	    [VOCAB_UNIGRAM] = "t5" };

	if (v->kind == VOCAB_NONE)
		return 0;
	/* aprender's engine merges by merges alone. */
	if (v->kind == VOCAB_SPM && v->nmerge == 0 && v->scores && vocab_merges(v, e) < 0)
		return -1;
	string_key(b, MODEL_TYPE, type[v->kind], strlen(type[v->kind]));
	string_key(b, MODEL, model[v->kind], strlen(model[v->kind]));
	if (v->kind == VOCAB_BPE && v->pre_name)
		string_key(b, PRE, v->pre_name, strlen(v->pre_name));
	number_key(b, SIZE, v->rows);
	for (size_t i = 0; i < v->nkey; i++)
		put_key(v, v->key[i], b);
	put_norms(v, b);
	if (v->kind == VOCAB_BPE)
		bool_key(b, WHOLE, v->whole);
	put_tokens(v, b);
	if (v->nmerge)
		put_merges(v, b);
	return buf_check(b, e);
}
