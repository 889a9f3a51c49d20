/* SPDX-License-Identifier: MIT */
/* hf_config.c -- the configuration files beside a vocabulary, and the ids,
 * flags and templates that they give. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hf.h"

#define S	VOCAB_SPECIALS

const struct vocab_file *
hf_file(const struct hf *h, const char *name)
{
	for (size_t i = 0; i < h->nfile; i++)
		if (!strcmp(h->file[i].name, name))
			return &h->file[i];
	return NULL;
}

int
hf_string(struct hf *h, struct string *to, const struct node *d, struct err *e)
{
	if (!node_str(d))
		return 0;
	if (!(to->s = arena_strn(&h->v->arena, d->s, d->n)))
		return err_set(e, "out of memory");
	to->n = d->n;
	return 0;
}

int64_t
hf_integer(const struct node *d)
{
	uint64_t u;

	return d && d->type == JSON_NUMBER && json_u64(d->s, d->n, &u) &&
	    u <= INT64_MAX ? (int64_t)u : -1;
}

unsigned
hf_flags(const struct node *d)
{
	static const struct { const char *key; unsigned flag; } f[] = {
		{ "special", VOCAB_SPECIAL }, { "lstrip", VOCAB_LSTRIP },
		{ "rstrip", VOCAB_RSTRIP }, { "single_word", VOCAB_WORD },
	};
	unsigned flags = VOCAB_ADDED;

	for (size_t i = 0; i < sizeof f / sizeof *f; i++)
		if (node_bool(node_get(d, f[i].key), 0))
			flags |= f[i].flag;
	if (node_bool(node_get(d, "normalized"), !(flags & VOCAB_SPECIAL)))
		flags |= VOCAB_NORMALIZED;
	return flags;
}

int
hf_add(struct hf *h, struct added_list *l, uint64_t id, const struct node *s,
    unsigned flags, struct err *e)
{
	struct added *p;

	if (id >= VOCAB_MAX)
		return err_set(e, "added token %s: id %llu is too large: less than %u are"
		    " allowed", s->s, (unsigned long long)id, VOCAB_MAX);
	if (array_room(&l->p, l->n, sizeof *p, e) < 0)
		return -1;
	p = &l->p[l->n];
	*p = (struct added){ arena_strn(&h->v->arena, s->s, s->n), s->n, (uint32_t)id,
	    (uint8_t)flags };
	if (!p->s)
		return err_set(e, "out of memory");
	l->n++;
	return 0;
}

/* config.json: rules [0, S) and [S, 2 S) are ids, of the top and text_config. */
static int
config_value(void *ctx, size_t rule, const struct node *d, struct err *e)
{
	struct hf *h = ctx;
	int64_t n = hf_integer(d);

	if (rule < 2 * S)
		h->config_id[rule / S][rule % S] = n;
	else if (rule >= 2 * S + 2)
		return hf_string(h, &h->model_type, d, e);
	else if (n > 0 && (h->vocab_size == 0 || rule == 2 * S + 1))
		h->vocab_size = (uint64_t)n;	/* text_config is merged over the top */
	return 0;
}

static int
config(struct hf *h, const struct vocab_file *f, struct err *e)
{
	static const char *const rest[] = { "vocab_size", "text_config/vocab_size",
	    "model_type" };
	struct walk_rule rule[2 * S + 4];
	char path[2 * S][40];

	if (!f)
		return 0;
	for (size_t i = 0; i < 2 * S; i++) {
		snprintf(path[i], sizeof path[i], "%s%s_token_id", i < S ? "" : "text_config/",
		    vocab_special_name[i % S]);
		rule[i] = (struct walk_rule){ path[i], WALK_TREE };
	}
	for (size_t i = 0; i < 3; i++)
		rule[2 * S + i] = (struct walk_rule){ rest[i], WALK_TREE };
	rule[2 * S + 3] = (struct walk_rule){ "text_config", WALK_INTO };
	return walk(f->name, f->p, f->n, rule, 2 * S + 4, config_value, h, e);
}

enum { PREFIX = 2 * S, CLASS, TEMPLATE, DECODER, NAMED, EXTRA, RULES };

static int
templates(struct hf *h, const struct node *d, struct err *e)
{
	if (node_str(d)) {
		h->templates = true;
		return vocab_chat(h->v, NULL, d->s, d->n, e);
	}
	if (d->type != JSON_ARRAY)
		return 0;
	for (d = d->child; d; d = d->next) {
		const struct node *name = node_get(d, "name"), *text = node_get(d, "template");
		char s[256];
		size_t n = 0;

		if (!node_str(name) || name->n == 0 || !node_str(text))
			continue;
		/* A part of a key: letters and digits. */
		for (; n < name->n && n < sizeof s - 1; n++) {
			char c = name->s[n];

			s[n] = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			    (c >= 'a' && c <= 'z') ? c : '_';
		}
		s[n] = '\0';
		h->templates = true;
		if (vocab_chat(h->v, strcmp(s, "default") ? s : NULL, text->s, text->n, e) < 0)
			return -1;
	}
	return 0;
}

static int
tokenizer_value(void *ctx, size_t rule, const struct node *d, struct err *e)
{
	struct hf *h = ctx;
	const struct node *content = node_get(d, "content");
	int64_t id;
	uint64_t u;

	if (rule < VOCAB_EOT)
		return hf_string(h, &h->special[rule], content ? content : d, e);
	if (rule < S)
		return 0;	/* eot, eom: converters go by the post_processor */
	if (rule < 2 * S) {
		h->add[rule - S] = (signed char)node_bool(d, -1);
		return 0;
	}
	switch (rule) {
	case PREFIX:
		h->prefix = (signed char)node_bool(d, -1);
		return 0;
	case CLASS:
		return hf_string(h, &h->class, d, e);
	case TEMPLATE:
		return templates(h, d, e);
	case DECODER:
		id = d->key && json_u64(d->key, d->nkey, &u) && u < VOCAB_MAX ? (int64_t)u : -1;
		if (id < 0 || !node_str(content))
			return err_set(e, "added_tokens_decoder: %s: no id, or no content",
			    d->key ? d->key : "an array's element");
		return hf_add(h, &h->decoder, (uint64_t)id, content, hf_flags(d), e);
	case NAMED:
	case EXTRA:
		content = content ? content : d;
		return node_str(content) ? hf_add(h, &h->named, 0, content, 0, e) : 0;
	}
	return 0;
}

static int
tokenizer_config(struct hf *h, const struct vocab_file *f, struct err *e)
{
	struct walk_rule rule[RULES] = {
		[PREFIX] = { "add_prefix_space", WALK_TREE },
		[CLASS] = { "tokenizer_class", WALK_TREE },
		[TEMPLATE] = { "chat_template", WALK_TREE },
		[DECODER] = { "added_tokens_decoder", WALK_EACH },
		[NAMED] = { "additional_special_tokens", WALK_EACH },
		[EXTRA] = { "extra_special_tokens", WALK_EACH },
	};
	char path[2 * S][24];

	for (size_t i = 0; i < 2 * S; i++) {
		snprintf(path[i], sizeof path[i], "%s%s_token", i < S ? "" : "add_",
		    vocab_special_name[i % S]);
		rule[i] = (struct walk_rule){ path[i], WALK_TREE };
	}
	return walk(f->name, f->p, f->n, rule, RULES, tokenizer_value, h, e);
}

static int
legacy_value(void *ctx, size_t rule, const struct node *d, struct err *e)
{
	struct hf *h = ctx;
	struct node s = { .type = JSON_STRING, .s = d->key, .n = d->nkey };
	int64_t id = hf_integer(d);

	(void)rule;
	if (!d->key || id < 0)
		return err_set(e, "%s: the id is no integer from 0 on", d->key ? d->key :
		    "an array's element");
	return hf_add(h, &h->legacy, (uint64_t)id, &s, VOCAB_ADDED, e);
}

static int
chat_value(void *ctx, size_t rule, const struct node *d, struct err *e)
{
	(void)rule;
	return templates(ctx, d, e);
}

/* The one of tokenizer_config.json, else a file's. */
static int
chat_files(struct hf *h, struct err *e)
{
	static const struct walk_rule rule = { "chat_template", WALK_TREE };
	const struct vocab_file *f;

	if (h->templates)
		return 0;
	if ((f = hf_file(h, "chat_template.jinja")))
		return vocab_chat(h->v, NULL, (const char *)f->p, f->n, e);
	if ((f = hf_file(h, "chat_template.json")))
		return walk(f->name, f->p, f->n, &rule, 1, chat_value, h, e);
	return 0;
}

int
hf_configs(struct hf *h, struct err *e)
{
	static const struct walk_rule all = { "", WALK_EACH };
	const struct vocab_file *f;

	for (size_t i = 0; i < S; i++) {
		h->config_id[0][i] = h->config_id[1][i] = -1;
		h->add[i] = -1;
	}
	h->prefix = -1;
	if (config(h, hf_file(h, "config.json"), e) < 0)
		return -1;
	if (!(f = hf_file(h, "tokenizer_config.json")))
		f = hf_file(h, "special_tokens_map.json");
	h->config = f != NULL;
	if (f && tokenizer_config(h, f, e) < 0)
		return -1;
	if ((f = hf_file(h, "added_tokens.json")) &&
	    walk(f->name, f->p, f->n, &all, 1, legacy_value, h, e) < 0)
		return -1;
	return 0;
}

/* The id of the added token with these bytes, or -1. */
static int64_t
added_id(const struct hf *h, struct string s)
{
	for (size_t i = 0; s.s && i < h->added.n; i++)
		if (h->added.p[i].n == s.n && !memcmp(h->added.p[i].s, s.s, s.n))
			return h->added.p[i].id;
	return -1;
}

int
hf_specials(struct hf *h, bool spm, struct err *e)
{
	struct vocab *v = h->v;
	struct { enum vocab_special of; unsigned key; signed char now; } flag[] = {
		{ VOCAB_BOS, VOCAB_KEY_ADD_BOS, v->add_bos },
		{ VOCAB_EOS, VOCAB_KEY_ADD_EOS, v->add_eos },
		{ VOCAB_SEP, VOCAB_KEY_ADD_SEP, v->add_sep },
	};
	/* Ids that the token list does not reach are dropped there. */
	size_t max = spm ? v->rows : VOCAB_MAX;

	for (size_t i = 0; i < 3; i++)
		if (h->add[flag[i].of] >= 0 && flag[i].now < 0)
			vocab_flag(v, flag[i].key, h->add[flag[i].of]);
	for (enum vocab_special i = 0; i < S; i++) {
		int64_t id = added_id(h, h->special[i]);

		if (id >= 0 && (size_t)id < max)
			vocab_id(v, i, id);
	}
	for (enum vocab_special i = 0; i < S; i++) {
		int64_t id = h->config_id[0][i] >= 0 ? h->config_id[0][i] : h->config_id[1][i];

		/* eot and eom are looked for only if the text's end moved. */
		if ((i != VOCAB_EOT && i != VOCAB_EOM) || h->special[i].s)
			if (id >= 0 && (size_t)id < max)
				vocab_id(v, i, id);
	}
	if (v->norm & VOCAB_LOWERCASE)
		vocab_key(v, VOCAB_KEY_LOWERCASE);
	if (v->norm & VOCAB_STRIP_ACCENTS)
		vocab_key(v, VOCAB_KEY_STRIP_ACCENTS);
	return chat_files(h, e);
}
