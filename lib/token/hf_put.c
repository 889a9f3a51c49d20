/* SPDX-License-Identifier: MIT */
/* hf_put.c -- the files of a Hugging Face directory, but for tokenizer.json:
 * so that reading them gives the same keys again. */
#include <stdlib.h>
#include <string.h>

#include "hf_put.h"

int
sink_flush(struct sink *s, size_t atleast, struct err *e)
{
	int r = 0;

	if (s->b.len < atleast && !s->b.bad)
		return 0;
	if (buf_check(&s->b, e) < 0)
		return -1;
	if (s->b.len > 0)
		r = s->put(s->ctx, s->b.p, s->b.len, e);
	s->b.len = 0;
	return r;
}

static int32_t
id(const struct vocab *v, enum vocab_special which)
{
	return vocab_has(v, v->id[which]) ? v->id[which] : -1;
}

struct around
around(const struct vocab *v)
{
	int bos = v->add_bos, eos = v->add_eos;
	struct around a = { -1, -1, -1, false, -1, -1, -1 };

	/* What readers of GGUF take for granted. */
	if (bos < 0)
		bos = v->kind == VOCAB_SPM || (v->kind == VOCAB_BPE && v->pre && v->pre->bos);
	if (bos > 0)
		a.bos = id(v, VOCAB_BOS);
	if (eos > 0)
		a.eos = id(v, VOCAB_EOS);
	/* A flag that a template does not show. */
	a.say_bos = v->add_bos == 1 && a.bos < 0 ? 1 : v->add_bos == 0 ? 0 : -1;
	a.say_eos = v->add_eos == 1 && a.eos < 0 ? 1 : v->add_eos == 0 ? 0 : -1;
	if (v->kind == VOCAB_BPE && v->add_bos >= 0 && v->add_eos >= 0 &&
	    a.say_bos <= 0 && a.say_eos <= 0 && (a.say_bos == 0 || a.say_eos == 0)) {
		a.bytelevel = true;
		a.say_bos = a.say_eos = -1;
	}
	if (v->add_sep == 0) {
		int32_t between = a.bos >= 0 ? a.bos : a.eos;
		bool sep = between == id(v, VOCAB_SEP) || between == id(v, VOCAB_EOS);

		if (between < 0 || (sep && a.eos < 0))
			a.say_sep = 0;
	} else if (v->add_sep == 1) {
		a.sep = id(v, VOCAB_SEP) >= 0 ? id(v, VOCAB_SEP) : id(v, VOCAB_EOS);
		if (a.sep < 0)
			a.say_sep = 1;
	}
	return a;
}

bool
hf_is_added(const struct vocab *v, size_t i, const struct around *a)
{
	const struct vocab_token *t = &v->token[i];

	if (!t->type)
		return false;
	return (t->flags & VOCAB_ADDED) || t->type == VOCAB_CONTROL ||
	    t->type == VOCAB_USER || t->type == VOCAB_UNKNOWN ||
	    (int32_t)i == a->bos || (int32_t)i == a->eos || (int32_t)i == a->sep ||
	    (v->kind == VOCAB_SPM && vocab_is_user(v, i));
}

bool
hf_is_special(const struct vocab *v, size_t i)
{
	const struct vocab_token *t = &v->token[i];
	const char *s = vocab_bytes(v, i);

	if (t->type == VOCAB_NORMAL && !(t->flags & VOCAB_ADDED))
		return t->len > 2 && s[0] == '<' && s[t->len - 1] == '>';
	return t->type == VOCAB_CONTROL || t->type == VOCAB_UNKNOWN ||
	    (t->flags & VOCAB_SPECIAL);
}

void
hf_put_text(const struct vocab *v, const char *s, size_t n, struct buf *b)
{
	struct buf t = { 0 };

	/* Plain blanks: converters undo what SentencePiece's files have. */
	if (v->kind != VOCAB_BPE)
		vocab_blanks(s, n, &t);
	else
		buf_put(&t, s, n);
	buf_json(b, t.p, t.len);
	b->bad |= t.bad;
	buf_release(&t);
}

void
hf_text(const struct vocab *v, size_t i, struct buf *b)
{
	hf_put_text(v, vocab_bytes(v, i), v->token[i].len, b);
}

void
hf_put_flags(const struct vocab *v, size_t i, struct buf *b)
{
	static const struct { const char *key; unsigned flag; } f[] = {
		{ "single_word", VOCAB_WORD }, { "lstrip", VOCAB_LSTRIP },
		{ "rstrip", VOCAB_RSTRIP }, { "normalized", VOCAB_NORMALIZED },
	};

	for (size_t k = 0; k < 4; k++)
		buf_printf(b, "\"%s\":%s,", f[k].key,
		    v->token[i].flags & f[k].flag ? "true" : "false");
	buf_printf(b, "\"special\":%s", hf_is_special(v, i) ? "true" : "false");
}

/* "bos_token":"<s>" ..., of tokens that are added ones. */
static void
put_specials(const struct vocab *v, const struct around *a, struct buf *b, bool *any)
{
	for (enum vocab_special i = 0; i < VOCAB_EOT; i++) {
		int32_t t = id(v, i);

		if (t < 0 || !hf_is_added(v, (size_t)t, a))
			continue;
		buf_printf(b, "%s\n  \"%s_token\": ", *any ? "," : "", vocab_special_name[i]);
		*any = true;
		hf_text(v, (size_t)t, b);
	}
}

static const struct vocab_template *
only_template(const struct vocab *v)
{
	return v->nchat == 1 && !v->chat[0].name ? &v->chat[0] : NULL;
}

static void
put_templates(const struct vocab *v, struct buf *b)
{
	if (v->nchat == 0 || only_template(v))
		return;
	buf_str(b, ",\n  \"chat_template\": [");
	for (size_t i = 0; i < v->nchat; i++) {
		const char *name = v->chat[i].name ? v->chat[i].name : "default";

		buf_str(b, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
		buf_json(b, name, strlen(name));
		buf_str(b, ", \"template\": ");
		buf_json(b, v->chat[i].text, v->chat[i].n);
		buf_str(b, "}");
	}
	buf_str(b, "\n  ]");
}

/* What was added to SentencePiece's list: the one place where a converter
 * looks for its type, of the unknown token too if it is to be a control one. */
static int
put_decoder(const struct vocab *v, struct sink *s, struct err *e)
{
	bool any = false;

	for (size_t i = 0; i < v->ntoken && v->kind == VOCAB_SPM; i++) {
		if (v->token[i].type != VOCAB_USER && !(v->token[i].type == VOCAB_CONTROL &&
		    v->token[i].score == -1000 && (int32_t)i == v->id[VOCAB_UNK]))
			continue;
		buf_printf(&s->b, "%s\n    \"%zu\": {\"content\": ", any ? "," :
		    ",\n  \"added_tokens_decoder\": {", i);
		any = true;
		hf_text(v, i, &s->b);
		buf_str(&s->b, ",");
		hf_put_flags(v, i, &s->b);
		buf_str(&s->b, "}");
		if (sink_flush(s, 65536, e) < 0)
			return -1;
	}
	if (any)
		buf_str(&s->b, "\n  }");
	return 0;
}

static int
put_config(struct vocab *v, struct sink *s, struct err *e)
{
	struct around a = around(v);
	struct { const char *key; signed char on; } flag[] = {
		{ "bos", a.say_bos }, { "eos", a.say_eos }, { "sep", a.say_sep },
	};
	const uint8_t *prefix = memchr(v->key, VOCAB_KEY_SPACE_PREFIX, v->nkey);
	const uint8_t *tokens = memchr(v->key, VOCAB_KEY_TOKENS, v->nkey);
	bool any = true;

	buf_str(&s->b, "{\n  \"clean_up_tokenization_spaces\": false");
	put_specials(v, &a, &s->b, &any);
	for (size_t i = 0; i < 3; i++)
		if (flag[i].on >= 0)
			buf_printf(&s->b, ",\n  \"add_%s_token\": %s", flag[i].key,
			    flag[i].on ? "true" : "false");
	/* Where the key came from there, it stands first. */
	if (prefix && tokens && prefix < tokens)
		buf_printf(&s->b, ",\n  \"add_prefix_space\": %s",
		    v->space_prefix ? "true" : "false");
	if (put_decoder(v, s, e) < 0)
		return -1;
	put_templates(v, &s->b);
	buf_str(&s->b, ",\n  \"tokenizer_class\": \"PreTrainedTokenizerFast\"\n}\n");
	return sink_flush(s, 0, e);
}

static int
put_map(struct vocab *v, struct sink *s, struct err *e)
{
	struct around a = around(v);
	bool any = false;

	buf_str(&s->b, "{");
	put_specials(v, &a, &s->b, &any);
	buf_str(&s->b, any ? "\n}\n" : "}\n");
	return sink_flush(s, 0, e);
}

static int
put_chat(struct vocab *v, struct sink *s, struct err *e)
{
	const struct vocab_template *t = only_template(v);

	return s->put(s->ctx, t->text, t->n, e);
}

static int
put_model(struct vocab *v, struct sink *s, struct err *e)
{
	return spm_write(v, s->put, s->ctx, e);
}

static const struct {
	const char *name;
	int (*put)(struct vocab *, struct sink *, struct err *);
} files[] = {
	{ "chat_template.jinja", put_chat },
	{ "special_tokens_map.json", put_map },
	{ "tokenizer.json", hf_put_json },
	{ "tokenizer.model", put_model },
	{ "tokenizer_config.json", put_config },
};
#define FILES	(sizeof files / sizeof *files)

const char *
vocab_file_name(const struct vocab *v, size_t i)
{
	if (v->kind == VOCAB_NONE)
		return NULL;
	for (size_t k = 0; k < FILES; k++) {
		if ((files[k].put == put_chat && !only_template(v)) ||
		    (files[k].put == put_model && (v->kind == VOCAB_BPE || !v->scores)))
			continue;
		if (i-- == 0)
			return files[k].name;
	}
	return NULL;
}

int
vocab_put_file(struct vocab *v, const char *name, vocab_put_fn put, void *ctx,
    struct err *e)
{
	struct sink s = { .put = put, .ctx = ctx };
	int r = -1;

	for (size_t k = 0; k < FILES; k++)
		if (!strcmp(files[k].name, name)) {
			r = files[k].put(v, &s, e);
			buf_release(&s.b);
			return r;
		}
	return err_set(e, "%s: no file of a tokenizer", name);
}

void
vocab_put_config(const struct vocab *v, struct buf *b)
{
	struct around a = around(v);

	for (enum vocab_special i = 0; i < VOCAB_EOT; i++)
		if (v->id[i] >= 0 && (i == VOCAB_BOS || i == VOCAB_EOS || i == VOCAB_PAD ||
		    !vocab_has(v, v->id[i]) || !hf_is_added(v, (size_t)v->id[i], &a)))
			buf_printf(b, ",\"%s_token_id\":%d", vocab_special_name[i], v->id[i]);
}
