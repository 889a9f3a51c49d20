/* SPDX-License-Identifier: MIT */
/*
 * apr.c -- a tokenizer in an .apr's metadata: tokenizer.* keys as aprender's
 * imports write them, and those that it has no name for.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apr.h"

const struct walk_rule apr_rule[APR_RULES] = {
	[VOCABULARY] = { "tokenizer.vocabulary", WALK_EACH },
	[MERGES] = { "tokenizer.merges", WALK_EACH },
	[SCORES] = { "tokenizer.scores", WALK_EACH },
	[TYPES] = { "tokenizer.token_type", WALK_EACH },
	[MODEL_TYPE] = { "tokenizer.model_type", WALK_TREE },
	[MODEL] = { "tokenizer.model", WALK_TREE },
	[PRE] = { "tokenizer.pre_type", WALK_TREE },
	[SIZE] = { "tokenizer.vocab_size", WALK_TREE },
	[NORMS] = { "tokenizer.normalizers", WALK_EACH },
	[WHOLE] = { "tokenizer.ignore_merges", WALK_TREE },
	[CHARSMAP] = { "tokenizer.precompiled_charsmap", WALK_TREE },
	[CHAT] = { "chat_template", WALK_TREE },
	[CHAT2] = { "tokenizer.chat_template", WALK_TREE },
	[TEMPLATES] = { "tokenizer.chat_templates", WALK_EACH },
	[ADD_BOS] = { "tokenizer.add_bos_token", WALK_TREE },
	[ADD_EOS] = { "tokenizer.add_eos_token", WALK_TREE },
	[ADD_SEP] = { "tokenizer.add_sep_token", WALK_TREE },
	[SPACE_PREFIX] = { "tokenizer.add_space_prefix", WALK_TREE },
	[EXTRA_BLANKS] = { "tokenizer.remove_extra_whitespaces", WALK_TREE },
	[IDS + VOCAB_BOS] = { "tokenizer.bos_token_id", WALK_TREE },
	[IDS + VOCAB_EOS] = { "tokenizer.eos_token_id", WALK_TREE },
	[IDS + VOCAB_UNK] = { "tokenizer.unknown_token_id", WALK_TREE },
	[IDS + VOCAB_SEP] = { "tokenizer.separator_token_id", WALK_TREE },
	[IDS + VOCAB_PAD] = { "tokenizer.padding_token_id", WALK_TREE },
	[IDS + VOCAB_CLS] = { "tokenizer.cls_token_id", WALK_TREE },
	[IDS + VOCAB_MASK] = { "tokenizer.mask_token_id", WALK_TREE },
	[IDS + VOCAB_EOT] = { "tokenizer.eot_token_id", WALK_TREE },
	[IDS + VOCAB_EOM] = { "tokenizer.eom_token_id", WALK_TREE },
};

const struct apr_norm apr_norm[APR_NORMS] = {
	{ "NFC", VOCAB_NFC }, { "NFD", VOCAB_NFD }, { "NFKC", VOCAB_NFKC },
	{ "NFKD", VOCAB_NFKD }, { "Lowercase", VOCAB_LOWERCASE },
	{ "StripAccents", VOCAB_STRIP_ACCENTS },
};

struct reader {
	struct vocab	*v;
	size_t		 nscore, ntype;
	bool		 norms;		/* the key is there */
	bool		 gguf;		/* tokenizer.model is */
	bool		 unigram;
};

/* Scores and types may come before the tokens. */
static int
number(struct reader *r, size_t rule, const struct node *d, struct err *e)
{
	size_t i = rule == SCORES ? r->nscore++ : r->ntype++;
	uint64_t u;
	float f;

	if (d->key || d->type != JSON_NUMBER)
		return err_set(e, "%s: element %zu is no number", apr_rule[rule].path, i);
	if (i >= r->v->cap && vocab_room(r->v, i + 1, e) < 0)
		return -1;
	if (rule == SCORES) {
		f = strtof(d->s, NULL);
		if (!isfinite(f))
			return err_set(e, "%s: element %zu is too large", apr_rule[rule].path, i);
		r->v->scores |= i > 0 && f != r->v->token[0].score;
		r->v->token[i].score = f;
	} else {
		if (!json_u64(d->s, d->n, &u) || u < VOCAB_NORMAL || u > VOCAB_BYTE)
			return err_set(e, "%s: element %zu: %s is not one of 1 to 6",
			    apr_rule[rule].path, i, d->s);
		/* (Kept apart until the tokens are there.) */
		r->v->token[i].flags = (uint8_t)u;
	}
	return 0;
}

static int
chat(struct reader *r, const char *name, const struct node *d, struct err *e)
{
	if (!node_str(d) || (!name && r->v->nchat > 0))
		return 0;
	return vocab_chat(r->v, name, d->s, d->n, e);
}

static int
base64(struct vocab *v, const struct node *d, struct err *e)
{
	if (!node_str(d))
		return 0;
	v->charsmap = vocab_base64(v, d->s, d->n, &v->ncharsmap);
	vocab_key(v, VOCAB_KEY_CHARSMAP);
	return v->charsmap ? 0 : err_set(e, "tokenizer.precompiled_charsmap: is not base64");
}

static int
value(void *ctx, size_t rule, const struct node *d, struct err *e)
{
	struct reader *r = ctx;
	struct vocab *v = r->v;
	uint64_t u;
	int on;

	if (rule >= IDS) {
		if (d->type == JSON_NUMBER && json_u64(d->s, d->n, &u))
			vocab_id(v, (enum vocab_special)(rule - IDS),
			    u < VOCAB_MAX ? (int64_t)u : -1);
		return 0;
	}
	switch ((enum apr_rule)rule) {
	case VOCABULARY:
		if (d->key || !node_str(d))
			return err_set(e, "tokenizer.vocabulary: element %zu is no string",
			    v->rows);
		v->rows++;
		return vocab_room(v, v->rows, e) < 0 ? -1 : vocab_token(v, v->rows - 1, d->s,
		    d->n, VOCAB_NORMAL, v->token[v->rows - 1].score, e);
	case MERGES:
		if (d->type == JSON_ARRAY && node_str(d->child) && node_str(d->child->next))
			return vocab_merge(v, d->child->s, d->child->n, d->child->next->s,
			    d->child->next->n, e);
		if (!node_str(d))
			return err_set(e, "tokenizer.merges: merge %zu is no string", v->nmerge);
		return vocab_merge_text(v, d->s, d->n, e);
	case SCORES:
	case TYPES:
		return number(r, rule, d, e);
	case MODEL_TYPE:
		r->unigram |= node_is(d, "Unigram");
		return 0;
	case MODEL:
		r->gguf = true;
		v->kind = node_is(d, "gpt2") ? VOCAB_BPE : node_is(d, "llama") ? VOCAB_SPM :
		    node_is(d, "t5") ? VOCAB_UNIGRAM : VOCAB_NONE;
		if (v->kind == VOCAB_NONE)
			return err_set(e, "tokenizer.model: a tokenizer of kind %s is not"
			    " supported (gpt2, llama and t5 are)", node_str(d) ? d->s : "?");
		return 0;
	case PRE:
		if (node_str(d) && !(v->pre_name = arena_strn(&v->arena, d->s, d->n)))
			return err_set(e, "out of memory");
		return 0;
	case NORMS:
		r->norms = true;
		for (size_t i = 0; i < APR_NORMS; i++)
			if (node_is(d, apr_norm[i].name))
				v->norm |= apr_norm[i].norm;
		return 0;
	case WHOLE:
		v->whole = node_bool(d, 0);
		return 0;
	case CHARSMAP:
		return base64(v, d, e);
	case CHAT:
	case CHAT2:
		return chat(r, NULL, d, e);
	case TEMPLATES:
		return d->key ? chat(r, d->key, d, e) : 0;
	case ADD_BOS:
	case ADD_EOS:
	case ADD_SEP:
	case SPACE_PREFIX:
	case EXTRA_BLANKS:
		if ((on = node_bool(d, -1)) >= 0)
			vocab_flag(v, rule == ADD_BOS ? VOCAB_KEY_ADD_BOS :
			    rule == ADD_EOS ? VOCAB_KEY_ADD_EOS :
			    rule == ADD_SEP ? VOCAB_KEY_ADD_SEP :
			    rule == SPACE_PREFIX ? VOCAB_KEY_SPACE_PREFIX :
			    VOCAB_KEY_EXTRA_BLANKS, on != 0);
		return 0;
	case SIZE:
	case IDS:
	case APR_RULES:
		break;
	}
	return 0;
}

static bool
is(const struct vocab *v, size_t id, const char *s, size_t n)
{
	return v->token[id].len == n && !memcmp(vocab_bytes(v, id), s, n);
}

/* aprender fills up with "<unk>": what is at the end, and was there before. */
static void
unpad(struct vocab *v)
{
	while (v->ntoken > 0) {
		const struct vocab_token *t = &v->token[v->ntoken - 1];
		const char *s = vocab_bytes(v, v->ntoken - 1);
		int32_t first = vocab_find(v, s, t->len);
		bool unk = is(v, v->ntoken - 1, "<unk>", 5);

		/* With several at the end, the first is padding as well. */
		if (!unk || ((size_t)first == v->ntoken - 1 && v->ntoken == v->rows) ||
		    ((size_t)first == v->ntoken - 1 && v->id[VOCAB_UNK] == first))
			break;
		memset(&v->token[--v->ntoken], 0, sizeof *v->token);
	}
}

/* Types, where nobody wrote them: by the spelling, as aprender's engine. */
static void
guess_types(struct vocab *v)
{
	for (size_t i = 0; i < v->ntoken; i++) {
		struct vocab_token *t = &v->token[i];
		const char *s = vocab_bytes(v, i);

		if (v->kind == VOCAB_SPM && vocab_byte(s, t->len) >= 0)
			t->type = VOCAB_BYTE;
		else if (vocab_looks_special(s, t->len) || (int32_t)i == v->id[VOCAB_BOS] ||
		    (int32_t)i == v->id[VOCAB_EOS])
			t->type = VOCAB_CONTROL;
		if (v->kind == VOCAB_SPM && is(v, i, "<unk>", 5))
			t->type = VOCAB_UNKNOWN;
		if (v->kind == VOCAB_SPM && (is(v, i, "<s>", 3) || is(v, i, "</s>", 4)))
			t->type = VOCAB_CONTROL;
	}
}

static int
finish(struct reader *r, struct err *e)
{
	struct vocab *v = r->v;
	size_t bytes = 0;
	int32_t twice;
	char pad[24];

	if (r->nscore && r->nscore != v->rows)
		return err_set(e, "tokenizer.scores: %zu elements for %zu tokens", r->nscore,
		    v->rows);
	if (r->ntype && r->ntype != v->rows)
		return err_set(e, "tokenizer.token_type: %zu elements for %zu tokens",
		    r->ntype, v->rows);
	v->ntoken = v->rows;
	for (size_t i = 0; i < v->ntoken; i++)
		bytes += vocab_byte(vocab_bytes(v, i), v->token[i].len) >= 0;
	if (!r->gguf)
		v->kind = r->unigram ? VOCAB_UNIGRAM : bytes == 256 ? VOCAB_SPM : VOCAB_BPE;
	v->byte_fallback = v->kind != VOCAB_BPE && bytes == 256;
	for (size_t i = 0; i < v->ntoken && r->ntype; i++) {
		struct vocab_token *t = &v->token[i];
		int n = snprintf(pad, sizeof pad, "[PAD%zu]", i);

		t->type = t->flags;
		t->flags = 0;
		if (t->type == VOCAB_UNUSED && (is(v, i, pad, (size_t)n) ||
		    is(v, i, "<unk>", 5)))
			memset(t, 0, sizeof *t);
	}
	while (v->ntoken > 0 && v->token[v->ntoken - 1].type == 0)
		v->ntoken--;
	if (vocab_index(v, &twice, e) < 0)
		return -1;
	if (!r->ntype) {
		unpad(v);
		guess_types(v);
		if (vocab_index(v, &twice, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < v->ntoken; i++)
		if (v->token[i].type == VOCAB_CONTROL || v->token[i].type == VOCAB_USER)
			v->token[i].flags = VOCAB_ADDED | (v->token[i].type == VOCAB_CONTROL ?
			    VOCAB_SPECIAL : 0);
	if (v->kind == VOCAB_BPE) {
		v->pre = v->pre_name ? vocab_pre_by_name(v->pre_name) : NULL;
		if (!v->pre)
			v->pre_why = v->pre_name ? v->pre_name : "tokenizer.pre_type is missing";
		else if (!r->norms)
			v->norm = v->pre->norm;
	} else if (v->kind == VOCAB_SPM && !r->nscore && v->nmerge > 0)
		return vocab_rank(v, e);
	return 0;
}

int
vocab_from_apr(struct vocab *v, const void *p, size_t n, struct err *e)
{
	struct reader r = { .v = v };

	vocab_key(v, VOCAB_KEY_TOKENS);
	if (walk("metadata", p, n, apr_rule, APR_RULES, value, &r, e) < 0)
		return -1;
	if (v->rows == 0) {
		v->kind = VOCAB_NONE;
		v->nkey = 0;
		return 0;
	}
	return finish(&r, e);
}
