/* SPDX-License-Identifier: MIT */
/*
 * pre.c -- how byte-level tokenizers cut text before merging: the steps that
 * tokenizer.json spells out, and the name that GGUF has for them.
 *
 * A name is found by comparing steps, never from a model's name; steps that
 * no row has are an error of whoever needs the name.
 */
#include <stdio.h>
#include <string.h>

#include "token.h"

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define PUNCT_TO_END " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WORD_LOWER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+"
#define WORD_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*"
#define SLASH_TO_END " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define LLAMA CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|" PUNCT_TO_END
#define QWEN CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|" PUNCT_TO_END

static const struct vocab_pre table[] = {
	{ .name = "gpt-2", .step = { { VOCAB_CUT_BYTES, NULL } },
	  .alias = { "mpt", "olmo", "phi-2", "jais", "roberta-bpe", "jina-v2-code",
		"modern-bert", "exaone4", "gigachat", "mellum" } },
	{ .name = "smollm", .step = { { VOCAB_CUT_DIGIT, NULL }, { VOCAB_CUT_BYTES, NULL } },
	  .alias = { "starcoder", "refact", "command-r", "codeshell", "exaone",
		"minerva-7b", "mellum2" } },
	{ .name = "llama-bpe", .whole = true, .bos = true, 
	  .step = { { VOCAB_CUT_REGEX, LLAMA } },
	  .alias = { "llama3", "llama-v3", "falcon3", "pixtral", "lfm2" } },
	/* Read the same way, but merged in whole words too, or begun otherwise. */
	{ .name = "dbrx", .step = { { VOCAB_CUT_REGEX, LLAMA } },
	  .alias = { "smaug-bpe", "chatglm-bpe" } },
	{ .name = "glm4", .whole = true, .step = { { VOCAB_CUT_REGEX, LLAMA } } },
	{ .name = "qwen2", .norm = VOCAB_NFC, .step = { { VOCAB_CUT_REGEX, QWEN } },
	  .alias = { "stablelm2", "megrez", "hunyuan", "grok-2" } },
	/* The same steps without the normalizer. */
	{ .name = "deepseek-r1-qwen", .step = { { VOCAB_CUT_REGEX, QWEN } } },
	{ .name = "qwen35", .norm = VOCAB_NFC, .step = { { VOCAB_CUT_REGEX, CONTRACTIONS
		"|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
		"|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" } } },
	{ .name = "tekken", .whole = true, .bos = true, .step = { { VOCAB_CUT_REGEX,
		"[^\\r\\n\\p{L}\\p{N}]?" WORD_LOWER "|[^\\r\\n\\p{L}\\p{N}]?" WORD_UPPER
		"|\\p{N}|" SLASH_TO_END } } },
	{ .name = "gpt-4o", .step = { { VOCAB_CUT_REGEX,
		"[^\\r\\n\\p{L}\\p{N}]?" WORD_LOWER CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?" WORD_UPPER
		CONTRACTIONS "?|\\p{N}{1,3}|" SLASH_TO_END } },
	  .alias = { "llama4", "minimax-m2", "kanana2" } },
	{ .name = "deepseek-v3", .step = { { VOCAB_CUT_REGEX, "\\p{N}{1,3}" },
		{ VOCAB_CUT_REGEX, "[一-龥぀-ゟ゠-ヿ]+" },
		{ VOCAB_CUT_REGEX, "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
		"|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*"
		"|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" } },
	  .alias = { "hunyuan-dense", "joyai-llm" } },
	{ .name = "deepseek-coder", .step = { { VOCAB_CUT_REGEX, "[\\r\\n]" },
		{ VOCAB_CUT_REGEX, "\\s?\\p{L}+" }, { VOCAB_CUT_REGEX, "\\s?\\p{P}+" },
		{ VOCAB_CUT_REGEX, "[一-龥ࠀ-一가-퟿]+" }, { VOCAB_CUT_DIGIT, NULL } } },
	{ .name = "falcon", .step = { { VOCAB_CUT_PUNCTUATION, NULL }, { VOCAB_CUT_BYTES, NULL },
		{ VOCAB_CUT_DIGITS, NULL }, { VOCAB_CUT_REGEX, "[0-9][0-9][0-9]" } } },
};
#define ROWS	(sizeof table / sizeof *table)

const struct vocab_pre *
vocab_pre_by_name(const char *name)
{
	for (size_t i = 0; i < ROWS; i++) {
		if (!strcmp(table[i].name, name))
			return &table[i];
		for (size_t k = 0; table[i].alias[k]; k++)
			if (!strcmp(table[i].alias[k], name))
				return &table[i];
	}
	return NULL;
}

static void
step(struct pre_steps *s, enum vocab_cut cut, const char *regex)
{
	if (s->n == VOCAB_STEPS) {
		snprintf(s->why, sizeof s->why, "more than %d steps", VOCAB_STEPS);
		return;
	}
	s->p.step[s->n].cut = cut;
	s->p.step[s->n++].regex = regex;
}

/* Pieces between matches stay, or there are none: the same for regexes that
 * match everything. */
static bool
keeps(const struct node *d)
{
	const struct node *b = node_get(d, "behavior");

	return node_is(b, "Isolated") ||
	    (node_is(b, "Removed") && node_bool(node_get(d, "invert"), 0));
}

static int
one(struct vocab *v, struct pre_steps *s, const struct node *d, struct err *e)
{
	const struct node *type = node_get(d, "type"), *pattern = node_get(d, "pattern");
	const char *regex = node_str(node_get(pattern, "Regex"));

	if (node_is(type, "ByteLevel")) {
		if (node_bool(node_get(d, "use_regex"), 1))
			step(s, VOCAB_CUT_BYTES, NULL);
		s->prefix |= node_bool(node_get(d, "add_prefix_space"), 1);
		s->bytes = true;
	} else if (node_is(type, "Split") && regex && keeps(d)) {
		if (!(regex = arena_strn(&v->arena, regex, strlen(regex))))
			return err_set(e, "out of memory");
		step(s, VOCAB_CUT_REGEX, regex);
	} else if (node_is(type, "Digits")) {
		step(s, node_bool(node_get(d, "individual_digits"), 0) ?
		    VOCAB_CUT_DIGIT : VOCAB_CUT_DIGITS, NULL);
	} else if (node_is(type, "Punctuation")) {
		step(s, VOCAB_CUT_PUNCTUATION, NULL);
	} else if (node_is(type, "Metaspace")) {
		s->metaspace = true;
		s->prefix |= !node_is(node_get(d, "prepend_scheme"), "never") &&
		    node_bool(node_get(d, "add_prefix_space"), 1);
	} else if (!node_is(type, "Split") || !node_is(node_get(pattern, "String"), " ") ||
	    !node_is(node_get(d, "behavior"), "MergedWithPrevious"))
		/* (That last one finds no blank after Gemma's normalizer.) */
		snprintf(s->why, sizeof s->why, "%s", node_str(type) ? node_str(type) :
		    "a step without a type");
	return 0;
}

int
pre_read(struct vocab *v, struct pre_steps *s, const struct node *d, struct err *e)
{
	const struct node *seq = node_get(d, "pretokenizers");

	if (!node_is(node_get(d, "type"), "Sequence") || !seq)
		return d->type == JSON_OBJECT ? one(v, s, d, e) : 0;
	for (const struct node *c = seq->child; c; c = c->next)
		if (one(v, s, c, e) < 0)
			return -1;
	return 0;
}

static bool
same(const struct vocab_pre *a, const struct vocab_pre *b)
{
	for (size_t i = 0; i < VOCAB_STEPS; i++) {
		const char *x = a->step[i].regex, *y = b->step[i].regex;

		if (a->step[i].cut != b->step[i].cut || !x != !y || (x && strcmp(x, y)))
			return false;
	}
	return true;
}

/* The steps in words, for a message. */
static void
describe(const struct pre_steps *s, char *out, size_t size)
{
	static const char *const cut[] = {
		[VOCAB_CUT_DIGIT] = "single digits", [VOCAB_CUT_DIGITS] = "digits",
		[VOCAB_CUT_PUNCTUATION] = "punctuation", [VOCAB_CUT_BYTES] = "ByteLevel",
	};
	size_t at = 0;

	snprintf(out, size, "no steps");
	for (size_t i = 0; i < s->n && at < size; i++)
		at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", then " : "",
		    s->p.step[i].regex ? s->p.step[i].regex : cut[s->p.step[i].cut]);
}

int
pre_choose(struct vocab *v, const struct pre_steps *s, struct err *e)
{
	const struct vocab_pre *first = NULL;
	char text[400];

	v->pre = NULL;
	for (size_t i = 0; i < ROWS && !s->why[0] && s->bytes && !v->pre; i++) {
		if (!same(&s->p, &table[i]))
			continue;
		if (table[i].norm == v->norm)
			v->pre = &table[i];
		if (!first)
			first = &table[i];
	}
	if (!v->pre)
		v->pre = first;
	if (v->pre) {
		v->pre_name = v->pre->name;
		return 0;
	}
	if (s->why[0])
		snprintf(text, sizeof text, "%s", s->why);
	else
		describe(s, text, sizeof text);
	v->pre_why = arena_strn(&v->arena, text, strlen(text));
	return v->pre_why ? 0 : err_set(e, "out of memory");
}

void
pre_write(const struct vocab_pre *p, struct buf *b)
{
	size_t n = 0;
	bool bytes = false;

	while (n < VOCAB_STEPS && p->step[n].cut != VOCAB_CUT_END)
		bytes |= p->step[n++].cut == VOCAB_CUT_BYTES;
	if (n + !bytes > 1)
		buf_str(b, "{\"type\":\"Sequence\",\"pretokenizers\":[");
	for (size_t i = 0; i < n + !bytes; i++) {
		buf_str(b, i ? "," : "");
		if (i == n || p->step[i].cut == VOCAB_CUT_BYTES) {
			buf_printf(b, "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
			    "\"trim_offsets\":true,\"use_regex\":%s}", i == n ? "false" : "true");
		} else if (p->step[i].cut == VOCAB_CUT_REGEX) {
			buf_str(b, "{\"type\":\"Split\",\"pattern\":{\"Regex\":");
			buf_json(b, p->step[i].regex, strlen(p->step[i].regex));
			buf_str(b, "},\"behavior\":\"Isolated\",\"invert\":false}");
		} else if (p->step[i].cut == VOCAB_CUT_PUNCTUATION) {
			buf_str(b, "{\"type\":\"Punctuation\",\"behavior\":\"Contiguous\"}");
		} else
			buf_printf(b, "{\"type\":\"Digits\",\"individual_digits\":%s}",
			    p->step[i].cut == VOCAB_CUT_DIGIT ? "true" : "false");
	}
	if (n + !bytes > 1)
		buf_str(b, "]}");
}
