/* SPDX-License-Identifier: MIT */
/* hf_json.c -- tokenizer.json, an element at a time. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hf.h"

enum rule {
	ADDED, NORMALIZER, PRE, POST, DECODER, MODEL, TYPE, VOCAB, MERGES, UNK,
	UNK_ID, FALLBACK, IGNORE, PREFIX, SUFFIX, RULES
};

static const struct walk_rule rules[RULES] = {
	[ADDED] = { "added_tokens", WALK_EACH },
	[NORMALIZER] = { "normalizer", WALK_TREE },
	[PRE] = { "pre_tokenizer", WALK_TREE },
	[POST] = { "post_processor", WALK_TREE },
	[DECODER] = { "decoder", WALK_TREE },
	[MODEL] = { "model", WALK_INTO },
	[TYPE] = { "model/type", WALK_TREE },
	[VOCAB] = { "model/vocab", WALK_EACH },
	[MERGES] = { "model/merges", WALK_EACH },
	[UNK] = { "model/unk_token", WALK_TREE },
	[UNK_ID] = { "model/unk_id", WALK_TREE },
	[FALLBACK] = { "model/byte_fallback", WALK_TREE },
	[IGNORE] = { "model/ignore_merges", WALK_TREE },
	[PREFIX] = { "model/continuing_subword_prefix", WALK_TREE },
	[SUFFIX] = { "model/end_of_word_suffix", WALK_TREE },
};

/* A token of model.vocab: a member with its id, or a pair with its score. */
static int
token(struct hf *h, const struct node *d, struct err *e)
{
	struct vocab *v = h->v;
	const struct node *s = d->child;
	int64_t id = (int64_t)h->nbase;
	float score = 0;

	h->nbase++;
	if (d->key) {
		if ((id = hf_integer(d)) < 0)
			return err_set(e, "model/vocab: %s: the id is no integer from 0 on",
			    d->key);
	} else if (d->type == JSON_ARRAY && node_str(s) && s->next &&
	    s->next->type == JSON_NUMBER && !s->next->next) {
		score = strtof(s->next->s, NULL);
		if (!isfinite(score))
			return err_set(e, "model/vocab: element %" PRId64 "'s score is too"
			    " large", id);
	} else
		return err_set(e, "model/vocab: element %" PRId64 " is no pair of a string"
		    " and a number", id);
	if (!h->take)
		return 0;
	if (id >= VOCAB_MAX)
		return err_set(e, "model/vocab: id %" PRId64 " is too large: less than %u"
		    " are allowed", id, VOCAB_MAX);
	if ((size_t)id < v->ntoken && v->token[id].type)
		return err_set(e, "model/vocab: id %" PRId64 " is there twice", id);
	if (vocab_room(v, (size_t)id + 1, e) < 0)
		return -1;
	return vocab_token(v, (size_t)id, d->key ? d->key : s->s,
	    d->key ? d->nkey : s->n, VOCAB_NORMAL, score, e);
}

static int
merge(struct hf *h, const struct node *d, struct err *e)
{
	const struct node *l = d->child;

	if (d->type == JSON_STRING)
		return vocab_merge_text(h->v, d->s, d->n, e);
	if (d->type != JSON_ARRAY || !node_str(l) || !node_str(l->next) || l->next->next)
		return err_set(e, "model/merges: merge %zu is no pair of strings",
		    h->v->nmerge);
	return vocab_merge(h->v, l->s, l->n, l->next->s, l->next->n, e);
}

static const struct { const char *type; unsigned norm; } norms[] = {
	{ "NFC", VOCAB_NFC }, { "NFD", VOCAB_NFD }, { "NFKC", VOCAB_NFKC },
	{ "NFKD", VOCAB_NFKD }, { "Lowercase", VOCAB_LOWERCASE },
	{ "StripAccents", VOCAB_STRIP_ACCENTS },
};

static int
normalizer(struct hf *h, const struct node *d, struct err *e)
{
	const struct node *type = node_get(d, "type"), *list = node_get(d, "normalizers");
	const struct node *pattern = node_get(d, "pattern");
	const struct node *map = node_get(d, "precompiled_charsmap");

	if (node_is(type, "Sequence") && list) {
		for (d = list->child; d; d = d->next)
			if (normalizer(h, d, e) < 0)
				return -1;
		return 0;
	}
	for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
		if (node_is(type, norms[i].type)) {
			h->v->norm |= norms[i].norm;
			return 0;
		}
	if (node_is(type, "Prepend") && node_is(node_get(d, "prepend"), LOW_LINE)) {
		h->prepend = true;
	} else if (node_is(type, "Replace") && node_is(node_get(pattern, "String"), " ") &&
	    node_is(node_get(d, "content"), LOW_LINE)) {
		h->blanks = true;
	} else if (node_is(type, "Replace") && node_is(node_get(pattern, "Regex"), " {2,}")) {
		h->v->extra_blanks = 1;
	} else if (node_is(type, "Precompiled") && node_str(map)) {
		h->v->charsmap = vocab_base64(h->v, map->s, map->n, &h->v->ncharsmap);
		if (!h->v->charsmap)
			return err_set(e, "normalizer: precompiled_charsmap is not base64");
	} else if (node_is(type, "BertNormalizer")) {
		int lower = node_bool(node_get(d, "lowercase"), 1);

		if (lower)
			h->v->norm |= VOCAB_LOWERCASE;
		if (node_bool(node_get(d, "strip_accents"), lower))
			h->v->norm |= VOCAB_STRIP_ACCENTS;
	} else if (d->type == JSON_OBJECT && node_str(type))
		return hf_string(h, &h->other, type, e);
	return 0;
}

static int
added(struct hf *h, const struct node *d, struct err *e)
{
	int64_t id = hf_integer(node_get(d, "id"));

	if (id < 0 || !node_str(node_get(d, "content")))
		return err_set(e, "added_tokens: entry %zu has no id or no content",
		    h->added.n);
	return hf_add(h, &h->added, (uint64_t)id, node_get(d, "content"), hf_flags(d), e);
}

static int
value(void *ctx, size_t rule, const struct node *d, struct err *e)
{
	struct hf *h = ctx;

	switch ((enum rule)rule) {
	case ADDED:
		return added(h, d, e);
	case NORMALIZER:
		return normalizer(h, d, e);
	case PRE:
		return pre_read(h->v, &h->pre, d, e);
	case POST:
		hf_post(h, d);
		return 0;
	case DECODER:
		h->decoder_bytes = node_is(node_get(d, "type"), "ByteLevel");
		h->decoder_seq = node_is(node_get(d, "type"), "Sequence");
		return 0;
	case TYPE:
		if (d->type == JSON_NULL)
			return 0;
		h->model = node_is(d, "BPE") ? MODEL_BPE :
		    node_is(d, "Unigram") ? MODEL_UNIGRAM : MODEL_OTHER;
		return hf_string(h, &h->model_name, d, e);
	case VOCAB:
		return token(h, d, e);
	case MERGES:
		return merge(h, d, e);
	case UNK:
		return hf_string(h, &h->unk, d, e);
	case UNK_ID:
		h->unk_id = hf_integer(d);
		return 0;
	case FALLBACK:
		h->byte_fallback = node_bool(d, 0);
		return 0;
	case IGNORE:
		h->ignore_merges = node_bool(d, 0);
		return 0;
	case PREFIX:
	case SUFFIX:
		if (node_str(d) && d->n > 0)
			return err_set(e, "%s is not supported", rules[rule].path);
		return 0;
	case MODEL:
	case RULES:
		break;
	}
	return 0;
}

int
hf_json(struct hf *h, const struct vocab_file *f, struct err *e)
{
	h->json = true;
	h->unk_id = -1;
	if (!h->special[VOCAB_BOS].s)
		h->special[VOCAB_BOS] = h->special[VOCAB_CLS];
	if (!h->special[VOCAB_EOS].s)
		h->special[VOCAB_EOS] = h->special[VOCAB_SEP];
	if (walk(f->name, f->p, f->n, rules, RULES, value, h, e) < 0)
		return -1;
	/* Older files do not say: those with merges are BPE. */
	if (h->model == MODEL_NONE && h->v->nmerge > 0)
		h->model = MODEL_BPE;
	if (h->model == MODEL_OTHER || h->model == MODEL_NONE)
		return err_set(e, "%s: a model of type %s is not supported (BPE and"
		    " Unigram are)", f->name, h->model_name.s ? h->model_name.s : "?");
	return 0;
}
