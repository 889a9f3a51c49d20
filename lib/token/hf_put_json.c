/* SPDX-License-Identifier: MIT */
/* hf_put_json.c -- tokenizer.json, as the tokenizers library reads it. */
#include <string.h>

#include "hf_put.h"

#define REPLACE(from, to) "{\"type\":\"Replace\",\"pattern\":{\"String\":\"" from \
	"\"},\"content\":\"" to "\"}"

static int
put_added(struct vocab *v, const struct around *a, struct sink *s, struct err *e)
{
	bool any = false;

	buf_str(&s->b, "\"added_tokens\":[");
	for (size_t i = 0; i < v->ntoken; i++) {
		if (!hf_is_added(v, i, a))
			continue;
		buf_printf(&s->b, "%s\n{\"id\":%zu,\"content\":", any ? "," : "", i);
		any = true;
		hf_text(v, i, &s->b);
		buf_str(&s->b, ",");
		hf_put_flags(v, i, &s->b);
		buf_str(&s->b, "}");
		if (sink_flush(s, 65536, e) < 0)
			return -1;
	}
	buf_str(&s->b, "],\n");
	return 0;
}

static void
put_normalizer(const struct vocab *v, struct buf *b)
{
	static const struct { unsigned norm; const char *text; } norms[] = {
		{ VOCAB_NFC, "NFC" }, { VOCAB_NFD, "NFD" }, { VOCAB_NFKC, "NFKC" },
		{ VOCAB_NFKD, "NFKD" }, { VOCAB_LOWERCASE, "Lowercase" },
		{ VOCAB_STRIP_ACCENTS, "StripAccents" },
	};
	struct buf list = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < sizeof norms / sizeof *norms; i++)
		if (v->norm & norms[i].norm)
			buf_printf(&list, "%s{\"type\":\"%s\"}", n++ ? "," : "", norms[i].text);
	if (v->ncharsmap) {
		buf_printf(&list, "%s{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"",
		    n++ ? "," : "");
		vocab_put_base64(&list, v->charsmap, v->ncharsmap);
		buf_str(&list, "\"}");
	}
	if (v->kind != VOCAB_BPE && v->extra_blanks == 1)
		buf_printf(&list, "%s{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},"
		    "\"content\":\" \"}", n++ ? "," : "");
	if (v->kind == VOCAB_SPM) {
		if (v->space_prefix != 0)
			buf_printf(&list, "%s{\"type\":\"Prepend\",\"prepend\":\"" LOW_LINE "\"}",
			    n++ ? "," : "");
		buf_printf(&list, "%s" REPLACE(" ", LOW_LINE), n++ ? "," : "");
	}
	buf_str(b, "\"normalizer\":");
	if (n == 0)
		buf_str(b, "null");
	else if (n == 1 && v->kind == VOCAB_BPE)
		buf_put(b, list.p, list.len);
	else {
		buf_str(b, "{\"type\":\"Sequence\",\"normalizers\":[");
		buf_put(b, list.p, list.len);
		buf_str(b, "]}");
	}
	b->bad |= list.bad;
	buf_release(&list);
	buf_str(b, ",\n");
}

static void
put_metaspace(const struct vocab *v, const char *key, struct buf *b)
{
	buf_printf(b, "\"%s\":{\"type\":\"Metaspace\",\"replacement\":\"" LOW_LINE
	    "\",\"prepend_scheme\":\"%s\",\"split\":true},\n", key,
	    v->space_prefix != 0 ? "always" : "never");
}

static void
put_pre_tokenizer(const struct vocab *v, struct buf *b)
{
	if (v->kind == VOCAB_UNIGRAM) {
		put_metaspace(v, "pre_tokenizer", b);
		return;
	}
	buf_str(b, "\"pre_tokenizer\":");
	if (v->kind == VOCAB_BPE)
		pre_write(v->pre, b);
	else
		buf_str(b, "null");
	buf_str(b, ",\n");
}

static void
put_item(const struct vocab *v, int32_t id, unsigned type, struct buf *b, bool *any)
{
	if (id < 0)
		return;
	buf_str(b, *any ? ",{\"SpecialToken\":{\"id\":" : "{\"SpecialToken\":{\"id\":");
	*any = true;
	hf_text(v, (size_t)id, b);
	buf_printf(b, ",\"type_id\":%u}}", type);
}

static void
put_sequence(const char *id, unsigned type, struct buf *b, bool *any)
{
	buf_printf(b, "%s{\"Sequence\":{\"id\":\"%s\",\"type_id\":%u}}", *any ? "," : "", id,
	    type);
	*any = true;
}

/* Between A and B: what readers recognise as the flag that is to be said. */
static void
put_between(const struct vocab *v, const struct around *a, struct buf *b, bool *any)
{
	if (a->say_sep >= 0 || v->add_sep < 0)
		return;
	if (v->add_sep == 0) {
		put_item(v, a->bos >= 0 ? a->bos : a->eos, a->bos >= 0, b, any);
		return;
	}
	if (a->eos >= 0)	/* the text's end comes first then */
		put_item(v, a->eos, 0, b, any);
	put_item(v, a->sep, 0, b, any);
}

static void
put_post(const struct vocab *v, const struct around *a, struct buf *b)
{
	const int32_t used[] = { a->bos, a->eos, a->sep };
	bool any = false;

	buf_str(b, "\"post_processor\":");
	if (a->bytelevel)
		buf_str(b, "{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\","
		    "\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":true},");
	buf_str(b, "{\"type\":\"TemplateProcessing\",\"single\":[");
	put_item(v, a->bos, 0, b, &any);
	put_sequence("A", 0, b, &any);
	put_item(v, a->eos, 0, b, &any);
	buf_str(b, "],\"pair\":[");
	any = false;
	put_item(v, a->bos, 0, b, &any);
	put_sequence("A", 0, b, &any);
	put_between(v, a, b, &any);
	put_sequence("B", 1, b, &any);
	put_item(v, a->eos, 1, b, &any);
	buf_str(b, "],\"special_tokens\":{");
	any = false;
	for (size_t i = 0; i < 3; i++) {
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice |= used[k] == used[i];
		if (used[i] < 0 || twice)
			continue;
		buf_str(b, any ? "," : "");
		any = true;
		hf_text(v, (size_t)used[i], b);
		buf_str(b, ":{\"id\":");
		hf_text(v, (size_t)used[i], b);
		buf_printf(b, ",\"ids\":[%d],\"tokens\":[", used[i]);
		hf_text(v, (size_t)used[i], b);
		buf_str(b, "]}");
	}
	buf_str(b, a->bytelevel ? "}}]},\n" : "}},\n");
}

static void
put_decoder(const struct vocab *v, struct buf *b)
{
	if (v->kind == VOCAB_UNIGRAM) {
		put_metaspace(v, "decoder", b);
		return;
	}
	if (v->kind == VOCAB_BPE) {
		buf_str(b, "\"decoder\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true,"
		    "\"trim_offsets\":true,\"use_regex\":true},\n");
		return;
	}
	buf_str(b, "\"decoder\":{\"type\":\"Sequence\",\"decoders\":[" REPLACE(LOW_LINE, " ")
	    ",{\"type\":\"ByteFallback\"},{\"type\":\"Fuse\"}");
	if (v->space_prefix != 0)
		buf_str(b, ",{\"type\":\"Strip\",\"content\":\" \",\"start\":1,\"stop\":0}");
	buf_str(b, "]},\n");
}

static int
put_vocab(const struct vocab *v, struct sink *s, struct err *e)
{
	bool list = v->kind == VOCAB_UNIGRAM, any = false;

	buf_str(&s->b, list ? "\"vocab\":[" : "\"vocab\":{");
	for (size_t i = 0; i < v->ntoken; i++) {
		if (!v->token[i].type && !list)
			continue;
		buf_str(&s->b, any ? ",\n" : "\n");
		any = true;
		if (!list) {
			hf_text(v, i, &s->b);
			buf_printf(&s->b, ":%zu", i);
		} else {
			buf_str(&s->b, "[");
			if (v->token[i].type)
				hf_text(v, i, &s->b);
			else
				buf_printf(&s->b, "\"[PAD%zu]\"", i);
			buf_str(&s->b, ",");
			buf_real32(&s->b, v->token[i].type ? v->token[i].score : -10000.0f);
			buf_str(&s->b, "]");
		}
		if (sink_flush(s, 65536, e) < 0)
			return -1;
	}
	buf_str(&s->b, list ? "]" : "}");
	return 0;
}

static int
put_merges(const struct vocab *v, struct sink *s, struct err *e)
{
	/* The library refuses a file whose merges it cannot look up. */
	if (vocab_check_merges(v, "tokenizer.json", e) < 0)
		return -1;
	buf_str(&s->b, ",\n\"merges\":[");
	for (size_t i = 0; i < v->nmerge; i++) {
		const struct vocab_merge *m = &v->merge[i];
		const char *p = (const char *)v->text.p + m->at;

		buf_str(&s->b, i ? ",\n[" : "\n[");
		hf_put_text(v, p, m->left, &s->b);
		buf_str(&s->b, ",");
		hf_put_text(v, p + m->left, m->right, &s->b);
		buf_str(&s->b, "]");
		if (sink_flush(s, 65536, e) < 0)
			return -1;
	}
	buf_str(&s->b, "]");
	return 0;
}

static int
put_model(const struct vocab *v, struct sink *s, struct err *e)
{
	int32_t unk = v->kind == VOCAB_BPE ? -1 : vocab_unknown(v);
	bool spm = v->kind == VOCAB_SPM;

	if (v->kind == VOCAB_UNIGRAM) {
		buf_str(&s->b, "\"model\":{\"type\":\"Unigram\",\"unk_id\":");
		if (unk >= 0)
			buf_printf(&s->b, "%d", unk);
		else
			buf_str(&s->b, "null");
		buf_printf(&s->b, ",\"byte_fallback\":%s,", v->byte_fallback ? "true" : "false");
		return put_vocab(v, s, e);
	}
	buf_str(&s->b, "\"model\":{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":");
	if (unk >= 0)
		hf_text(v, (size_t)unk, &s->b);
	else
		buf_str(&s->b, "null");
	buf_printf(&s->b, ",\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
	    "\"fuse_unk\":%s,\"byte_fallback\":%s,\"ignore_merges\":%s,",
	    spm ? "true" : "false", v->byte_fallback ? "true" : "false",
	    v->whole ? "true" : "false");
	return put_vocab(v, s, e) < 0 ? -1 : put_merges(v, s, e);
}

static int
check(struct vocab *v, struct err *e)
{
	if (vocab_check(v, "tokenizer.json", e) < 0)
		return -1;
	if (v->kind == VOCAB_BPE && !v->pre)
		return err_set(e, "tokenizer.json: how text is cut before merging is not known:"
		    " %s", v->pre_why ? v->pre_why : "nothing says so");
	if (v->kind == VOCAB_SPM && v->nmerge == 0)
		return vocab_merges(v, e);
	return 0;
}

int
hf_put_json(struct vocab *v, struct sink *s, struct err *e)
{
	struct around a;

	if (check(v, e) < 0)
		return -1;
	a = around(v);
	buf_str(&s->b, "{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\n");
	if (put_added(v, &a, s, e) < 0)
		return -1;
	put_normalizer(v, &s->b);
	put_pre_tokenizer(v, &s->b);
	put_post(v, &a, &s->b);
	put_decoder(v, &s->b);
	if (put_model(v, s, e) < 0)
		return -1;
	buf_str(&s->b, "}}\n");
	return sink_flush(s, 0, e);
}
