/* SPDX-License-Identifier: MIT */
/*
 * hf.c -- a Hugging Face directory's tokenizer, as convert_hf_to_gguf.py
 * understands it: which file is believed depends on the architecture.
 */
#include <stdlib.h>
#include <string.h>

#include "hf.h"

#define PAD_SCORE	-10000.0f
#define ADDED_SCORE	-1000.0f

typedef enum vocab_type type_fn(const struct hf *, const struct added *);

/* Onto b: the text with SentencePiece's blanks plain. */
static void
plain(const struct added *a, struct buf *b)
{
	const char *s = a->s, *p;

	for (; (p = strstr(s, LOW_LINE)); s = p + sizeof LOW_LINE - 1) {
		buf_put(b, s, (size_t)(p - s));
		buf_str(b, " ");
	}
	buf_put(b, s, a->n - (size_t)(s - a->s));
}

static int
lay(struct vocab *v, const struct added *a, enum vocab_type type, const float *score,
    struct err *e)
{
	struct buf b = { 0 };
	int r = vocab_room(v, (size_t)a->id + 1, e);

	/* What users define is matched against plain text. */
	if (type == VOCAB_USER)
		plain(a, &b);
	else
		buf_put(&b, a->s, a->n);
	if (r == 0 && (r = buf_check(&b, e)) == 0)
		r = vocab_token(v, a->id, b.p, b.len, type, score ? *score :
		    v->token[a->id].score, e);
	if (r == 0)
		v->token[a->id].flags = a->flags;
	buf_release(&b);
	return r;
}

/* Added tokens over what is there; those beyond the rows are an error, or,
 * with SentencePiece, left out.  score: NULL keeps it. */
static int
overlay(struct hf *h, const struct added_list *l, type_fn *type, const float *score,
    bool drop, struct err *e)
{
	struct vocab *v = h->v;

	for (size_t i = 0; i < l->n; i++) {
		const struct added *a = &l->p[i];

		if (v->rows && a->id >= v->rows) {
			if (!drop)
				return err_set(e, "added token %s: id %u, but config.json's"
				    " vocab_size is %zu", a->s, a->id, v->rows);
			vocab_warn(v, "token %s: id %u is beyond the %zu rows: left out",
			    a->s, a->id, v->rows);
			continue;
		}
		if (!drop && vocab_has(v, (int32_t)a->id) && (v->token[a->id].len != a->n ||
		    memcmp(vocab_bytes(v, a->id), a->s, a->n)))
			return err_set(e, "added token %s: id %u is %.*s already", a->s, a->id,
			    (int)v->token[a->id].len, vocab_bytes(v, a->id));
		if (lay(v, a, type(h, a), score, e) < 0)
			return -1;
	}
	return 0;
}

static enum vocab_type
special_or_looks(const struct hf *h, const struct added *a)
{
	(void)h;
	return (a->flags & VOCAB_SPECIAL) || vocab_looks_special(a->s, a->n) ?
	    VOCAB_CONTROL : VOCAB_USER;
}

static enum vocab_type
user(const struct hf *h, const struct added *a)
{
	(void)h;
	(void)a;
	return VOCAB_USER;
}

static enum vocab_type
special(const struct hf *h, const struct added *a)
{
	(void)h;
	return a->flags & VOCAB_SPECIAL ? VOCAB_CONTROL : VOCAB_USER;
}

/* model.vocab must fit the rows. */
static int
check_rows(struct hf *h, struct err *e)
{
	struct vocab *v = h->v;

	if (h->vocab_size > VOCAB_MAX)
		return err_set(e, "config.json: vocab_size is %llu: at most %u are allowed",
		    (unsigned long long)h->vocab_size, VOCAB_MAX);
	v->rows = h->vocab_size;
	if (v->rows && v->ntoken > v->rows)
		return err_set(e, "tokenizer.json: id %zu, but config.json's vocab_size is %zu",
		    v->ntoken - 1, v->rows);
	return 0;
}

/* Keys that unigram models alone have. */
static void
unigram_keys(struct vocab *v)
{
	if (v->kind != VOCAB_UNIGRAM)
		return;
	vocab_key(v, VOCAB_KEY_SPACE_PREFIX);
	vocab_key(v, VOCAB_KEY_EXTRA_BLANKS);
	if (v->ncharsmap)
		vocab_key(v, VOCAB_KEY_CHARSMAP);
}

/* Byte-level BPE, and unigram, from tokenizer.json. */
static int
from_json(struct hf *h, struct err *e)
{
	struct vocab *v = h->v;

	if (check_rows(h, e) < 0 ||
	    overlay(h, &h->added, special_or_looks, NULL, false, e) < 0)
		return -1;
	if (!v->rows)
		v->rows = v->ntoken;
	v->whole = h->ignore_merges;
	v->scores = v->kind == VOCAB_UNIGRAM;
	vocab_key(v, VOCAB_KEY_TOKENS);
	if (v->kind != VOCAB_UNIGRAM)
		return 0;
	v->space_prefix = h->pre.prefix || h->prepend;
	v->byte_fallback = h->byte_fallback;
	if (v->extra_blanks < 0)
		v->extra_blanks = 0;
	unigram_keys(v);
	for (size_t i = 0; i < v->ntoken; i++)
		if (v->token[i].type == VOCAB_NORMAL &&
		    vocab_byte(vocab_bytes(v, i), v->token[i].len) >= 0 && v->byte_fallback)
			v->token[i].type = VOCAB_BYTE;
	if (h->unk_id >= 0 && vocab_has(v, (int32_t)h->unk_id))
		v->token[h->unk_id].type = VOCAB_UNKNOWN;
	return 0;
}

/* A token that tokenizer_config.json names. */
static void
named(struct vocab *v, const char *s, size_t n)
{
	int32_t id = s ? vocab_find(v, s, n) : -1;

	if (id >= 0 && v->token[id].type != VOCAB_BYTE)
		v->token[id].type = VOCAB_CONTROL;
}

/* SentencePiece's kind from tokenizer.json alone, Llama family: a list that
 * is not padded, and that has no scores worth the name. */
static int
from_json_llama(struct hf *h, struct err *e)
{
	struct vocab *v = h->v;
	size_t base = v->ntoken;
	int32_t twice;

	for (size_t i = 0; i < h->added.n; i++) {
		const struct added *a = &h->added.p[i];

		if (a->id >= base && (vocab_room(v, (size_t)a->id + 1, e) < 0 ||
		    vocab_token(v, a->id, a->s, a->n, VOCAB_USER, 0, e) < 0))
			return -1;
		v->token[a->id].flags = a->flags;
	}
	for (size_t i = 0; i < v->ntoken; i++) {
		struct vocab_token *t = &v->token[i];
		const char *s = vocab_bytes(v, i);

		if (!t->type)
			return err_set(e, "tokenizer.json: no token has id %zu", i);
		t->score = ADDED_SCORE;
		if (vocab_byte(s, t->len) >= 0)
			t->type = VOCAB_BYTE;
	}
	if (vocab_index(v, &twice, e) < 0)
		return -1;
	for (size_t i = 0; i < VOCAB_SPECIALS; i++)
		named(v, h->special[i].s, h->special[i].n);
	for (size_t i = 0; i < h->named.n; i++)
		named(v, h->named.p[i].s, h->named.p[i].n);
	v->rows = v->ntoken;
	vocab_key(v, VOCAB_KEY_TOKENS);
	return 0;
}

/* The same where the converter asks for a tokenizer.model: scores from the
 * merges' ranks, which give the same merges. */
static int
from_merges(struct hf *h, struct err *e)
{
	struct vocab *v = h->v;

	if (check_rows(h, e) < 0 || overlay(h, &h->added, special, NULL, false, e) < 0 ||
	    vocab_once(v, "tokenizer.json", e) < 0 || vocab_rank(v, e) < 0)
		return -1;
	for (size_t i = 0; i < v->ntoken; i++) {
		struct vocab_token *t = &v->token[i];
		const char *s = vocab_bytes(v, i);

		if (t->type == VOCAB_NORMAL && vocab_byte(s, t->len) >= 0)
			t->type = VOCAB_BYTE;
		if (h->unk.s && t->len == h->unk.n && !memcmp(s, h->unk.s, t->len))
			t->type = VOCAB_UNKNOWN;
	}
	if (!v->rows)
		v->rows = v->ntoken;
	vocab_key(v, VOCAB_KEY_TOKENS);
	return 0;
}

static int
from_model(struct hf *h, const struct vocab_file *f, bool phi3, struct err *e)
{
	static const float score = ADDED_SCORE;
	struct vocab *v = h->v;

	if (check_rows(h, e) < 0 || spm_read(v, f->p, f->n, v->rows ? v->rows : VOCAB_MAX, e) < 0 ||
	    vocab_once(v, f->name, e) < 0)
		return -1;
	if (!v->rows)
		v->rows = v->ntoken;
	if (overlay(h, &h->legacy, user, &score, true, e) < 0 ||
	    overlay(h, &h->decoder, special_or_looks, &score, true, e) < 0 ||
	    (phi3 && overlay(h, &h->added, special, &score, true, e) < 0))
		return -1;
	/* Flags alone from the other families' tokenizer.json. */
	for (size_t i = 0; i < h->added.n; i++)
		if (vocab_has(v, (int32_t)h->added.p[i].id))
			v->token[h->added.p[i].id].flags = h->added.p[i].flags;
	vocab_key(v, VOCAB_KEY_TOKENS);
	unigram_keys(v);
	return 0;
}

/* vocab.json and merges.txt, of tokenizers older than tokenizer.json. */
static int
vocab_value(void *ctx, size_t rule, const struct node *d, struct err *e)
{
	struct hf *h = ctx;
	int64_t id = hf_integer(d);

	(void)rule;
	if (!d->key || id < 0 || id >= VOCAB_MAX)
		return err_set(e, "%s: the id is no integer below %u", d->key ? d->key :
		    "an array's element", VOCAB_MAX);
	if ((size_t)id < h->v->ntoken && h->v->token[id].type)
		return err_set(e, "id %lld is there twice", (long long)id);
	return vocab_room(h->v, (size_t)id + 1, e) < 0 ? -1 :
	    vocab_token(h->v, (size_t)id, d->key, d->nkey, VOCAB_NORMAL, 0, e);
}

static int
merges_txt(struct vocab *v, const struct vocab_file *f, struct err *e)
{
	const char *p = (const char *)f->p, *end = p + f->n, *nl;

	for (bool first = true; p < end; p = nl + 1, first = false) {
		size_t n;

		if (!(nl = memchr(p, '\n', (size_t)(end - p))))
			nl = end;
		n = (size_t)(nl - p);
		if (n > 0 && p[n - 1] == '\r')
			n--;
		if ((first && n > 0 && *p == '#') || n == 0)
			continue;
		if (!utf8_valid(p, n))
			return err_set(e, "%s: merge %zu is not UTF-8", f->name, v->nmerge);
		if (vocab_merge_text(v, p, n, e) < 0)
			return err_prefix(e, "%s", f->name);
	}
	return 0;
}

/* Which classes' cut is known without tokenizer.json. */
static const struct { const char *name, *pre; unsigned norm; } classes[] = {
	{ "GPT2Tokenizer", "gpt-2", 0 }, { "GPT2TokenizerFast", "gpt-2", 0 },
	{ "Qwen2Tokenizer", "qwen2", VOCAB_NFC }, { "Qwen2TokenizerFast", "qwen2", VOCAB_NFC },
};

static int
from_texts(struct hf *h, const struct vocab_file *f, const struct vocab_file *merges,
    struct err *e)
{
	static const struct walk_rule all = { "", WALK_EACH };
	const char *class = h->class.s ? h->class.s : h->model_type.s &&
	    !strcmp(h->model_type.s, "gpt2") ? "GPT2Tokenizer" : "?";
	struct vocab *v = h->v;

	if (walk(f->name, f->p, f->n, &all, 1, vocab_value, h, e) < 0 ||
	    merges_txt(v, merges, e) < 0)
		return -1;
	v->kind = VOCAB_BPE;
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (!strcmp(class, classes[i].name)) {
			v->pre = vocab_pre_by_name(classes[i].pre);
			v->pre_name = v->pre->name;
			v->norm = classes[i].norm;
		}
	if (!v->pre)
		return err_set(e, "vocab.json and merges.txt of a %s do not say how text is"
		    " cut: a tokenizer.json is needed", class);
	/* Every special token is an added one. */
	if (!h->special[VOCAB_EOS].s && v->pre == vocab_pre_by_name("gpt-2"))
		for (enum vocab_special i = VOCAB_BOS; i <= VOCAB_UNK; i++)
			h->special[i] = (struct string){ "<|endoftext|>", 13 };
	if (check_rows(h, e) < 0 || vocab_once(v, f->name, e) < 0)
		return -1;
	h->added = h->decoder;
	memset(&h->decoder, 0, sizeof h->decoder);
	for (size_t i = 0; i < h->legacy.n; i++) {
		const struct added *a = &h->legacy.p[i];
		struct node s = { .type = JSON_STRING, .s = a->s, .n = a->n };

		if (hf_add(h, &h->added, a->id, &s, a->flags, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < VOCAB_SPECIALS; i++) {
		struct node s = { .type = JSON_STRING, .s = h->special[i].s,
		    .n = h->special[i].n };
		int32_t id = s.s ? vocab_find(v, s.s, s.n) : -1;

		if (id >= 0 && hf_add(h, &h->added, (uint64_t)id, &s,
		    VOCAB_ADDED | VOCAB_SPECIAL, e) < 0)
			return -1;
	}
	if (overlay(h, &h->added, special_or_looks, NULL, false, e) < 0)
		return -1;
	if (!v->rows)
		v->rows = v->ntoken;
	vocab_key(v, VOCAB_KEY_TOKENS);
	return 0;
}

/* The kind that tokenizer.json alone would make. */
static int
kind_of_json(struct hf *h, struct err *e)
{
	struct vocab *v = h->v;

	if (h->model == MODEL_UNIGRAM) {
		v->kind = VOCAB_UNIGRAM;
	} else if (!h->pre.bytes && !h->decoder_bytes && h->byte_fallback && h->decoder_seq) {
		v->kind = VOCAB_SPM;
		v->byte_fallback = true;
		v->space_prefix = h->prepend || h->pre.prefix;
	} else {
		v->kind = VOCAB_BPE;
		v->space_prefix = h->pre.prefix;
		return pre_choose(v, &h->pre, e);
	}
	return 0;
}

/* Keys in the converter's order: the files told of flags too early. */
static void
arrange(struct vocab *v, bool space_first)
{
	static const uint8_t place[VOCAB_KEYS] = {
		[VOCAB_KEY_TOKENS] = 1, [VOCAB_KEY_SPACE_PREFIX] = 2,
		[VOCAB_KEY_EXTRA_BLANKS] = 2, [VOCAB_KEY_CHARSMAP] = 2,
		[VOCAB_KEY_ADD_BOS] = 4, [VOCAB_KEY_ADD_EOS] = 4, [VOCAB_KEY_ADD_SEP] = 4,
		[VOCAB_KEY_TEMPLATES] = 5,
		[VOCAB_KEY_LOWERCASE] = 6, [VOCAB_KEY_STRIP_ACCENTS] = 6,
	};
	uint8_t old[VOCAB_KEYS];
	size_t n = v->nkey;

	memcpy(old, v->key, n);
	v->nkey = 0;
	for (unsigned at = 0; at <= 6; at++)
		for (size_t i = 0; i < n; i++) {
			unsigned k = old[i], p = k >= VOCAB_KEY_ID ? 3 : place[k];

			if ((k == VOCAB_KEY_SPACE_PREFIX && space_first ? 0 : p) == at)
				v->key[v->nkey++] = (uint8_t)k;
		}
}

static int
choose(struct hf *h, enum vocab_family family, struct err *e)
{
	const struct vocab_file *json = hf_file(h, "tokenizer.json");
	const struct vocab_file *model = hf_file(h, "tokenizer.model");
	const struct vocab_file *txt = hf_file(h, "vocab.json");
	const struct vocab_file *merges = hf_file(h, "merges.txt");
	bool strict = family == VOCAB_FAMILY_GEMMA || family == VOCAB_FAMILY_PHI3;
	struct vocab *v = h->v;

	if (family == VOCAB_FAMILY_BPE || (family == VOCAB_FAMILY_PHI3 && h->class.s &&
	    !strcmp(h->class.s, "GPT2Tokenizer"))) {
		model = NULL;
		strict = false;
	}
	if (family == VOCAB_FAMILY_LLAMA && h->prefix >= 0 && (json || model))
		vocab_flag(v, VOCAB_KEY_SPACE_PREFIX, h->prefix);
	h->take = !model;
	if (json && hf_json(h, json, e) < 0)
		return -1;
	if (model) {
		if (from_model(h, model, family == VOCAB_FAMILY_PHI3, e) < 0)
			return -1;
	} else if (json) {
		if (kind_of_json(h, e) < 0 || (v->kind == VOCAB_SPM && family == VOCAB_FAMILY_LLAMA ?
		    from_json_llama(h, e) : v->kind == VOCAB_SPM ? from_merges(h, e) :
		    from_json(h, e)) < 0)
			return -1;
	} else if (txt && merges) {
		if (from_texts(h, txt, merges, e) < 0)
			return -1;
	} else
		return 0;
	if (v->ntoken == 0)
		return err_set(e, "%s: no tokens", model ? model->name : json ? json->name :
		    txt->name);
	if (h->other.s && !model)
		vocab_warn(v, "tokenizer.json's normalizer %s is not carried over", h->other.s);
	if (strict && !model && v->kind == VOCAB_SPM)
		vocab_warn(v, "tokenizer.model is missing: scores are made from the order of"
		    " tokenizer.json's merges");
	if (vocab_once(v, "the tokenizer", e) < 0 ||
	    (json && v->kind == VOCAB_SPM &&
	    vocab_check_merges(v, "tokenizer.json", e) < 0) ||
	    hf_specials(h, v->kind != VOCAB_BPE, e) < 0)
		return -1;
	arrange(v, family == VOCAB_FAMILY_LLAMA);
	/* What these families' converters add behind all others. */
	if (family == VOCAB_FAMILY_LLAMA && h->vocab_size == 32016 && v->rows > 32010) {
		v->id[VOCAB_EOT] = 32010;
		vocab_key(v, VOCAB_KEY_ID + VOCAB_EOT);
	}
	if (family == VOCAB_FAMILY_LLAMA && h->vocab_size == 49152)
		vocab_flag(v, VOCAB_KEY_ADD_BOS, false);
	if ((family == VOCAB_FAMILY_GEMMA || family == VOCAB_FAMILY_GEMMA3) && model)
		vocab_flag(v, VOCAB_KEY_SPACE_PREFIX, false);
	return 0;
}

int
vocab_from_hf(struct vocab *v, const struct vocab_file *file, size_t n,
    enum vocab_family family, uint64_t rows, struct err *e)
{
	struct hf h = { .v = v, .file = file, .nfile = n };
	int r = hf_configs(&h, e);

	if (r == 0) {
		if (h.vocab_size == 0)
			h.vocab_size = rows;
		r = choose(&h, family, e);
	}
	free(h.named.p);
	free(h.decoder.p);
	free(h.legacy.p);
	free(h.added.p);
	return r;
}
