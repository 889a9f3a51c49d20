/* SPDX-License-Identifier: MIT */
/* meta.c -- metadata for an output of another format than the source's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/size.h>
#include <apr/vocab.h>

#include "apr.h"
#include "gguf.h"
#include "pack.h"

struct keys {
	struct buf	*out;
	uint64_t	 n;
};

static int
put_key(void *ctx, const char *key, const char *type, const char *value, struct err *e)
{
	struct keys *k = ctx;
	struct mset set = { key, type, value };
	size_t at;

	k->n++;
	return gguf_put_set(k->out, &set, &at, e);
}

static void
about(const struct pack *p, struct arch_about *a)
{
	const struct carried *f;

	*a = (struct arch_about){ .name = p->in->name, .t = p->m->tensor, .nt = p->m->ntensor };
	if ((f = pack_file(p, "README.md"))) {
		a->readme = (const char *)f->p;
		a->nreadme = f->n;
	}
	if ((f = pack_file(p, "generation_config.json"))) {
		a->generation = (const char *)f->p;
		a->ngeneration = f->n;
	}
}

/* The source's header, parsed, if it is one that has metadata of its own. */
static int
read_foreign(struct pack *p, struct err *e)
{
	const char *source = p->in->source;
	const struct format *f = source ? format_by_name(source) : NULL;

	if (!f || f == &format_safetensors)
		return 0;
	for (size_t i = 0; i < p->nfile; i++) {
		if (strncmp(p->file[i].name, ".source/header", 14))
			continue;
		if (!(p->foreignman = manifest_new(e)))
			return -1;
		p->foreignman->metadata = "{}";	/* nobody looks */
		p->file[i].n = 0;
		if (header_parse_mem(&p->foreign, f, &p->held[i], p->foreignman, 0, e) < 0)
			return err_prefix(e, "%s", p->file[i].name);
		return 0;
	}
	return 0;
}

/* An .apr's metadata as text. */
static const void *
apr_text(const struct pack *p, size_t *n)
{
	const struct apr *a = p->foreign.priv;

	*n = a ? a->meta_len : 0;
	return a ? p->foreign.raw.p + a->meta : NULL;
}

/* Warnings that are new, for people. */
static void
take_warnings(struct pack *p)
{
	for (size_t i = 0; p->vocab && i < p->vocab->nwarning; i++)
		buf_printf(&p->notes, "%s\n", p->vocab->warning[i]);
	if (p->vocab)
		p->vocab->nwarning = 0;
}

static int
vocab_of_keys(struct pack *p, struct err *e)
{
	const struct gguf *g = p->foreign.priv;
	struct vocab_kv *kv = calloc(g->nkv + 1, sizeof *kv);
	int r;

	if (!kv)
		return err_set(e, "out of memory");
	for (size_t i = 0; i < g->nkv; i++) {
		kv[i].key = g->kv[i].key;
		kv[i].p = gguf_kv_value(&p->foreign, i, &kv[i].n);
	}
	r = vocab_from_gguf(p->vocab, kv, g->nkv, e);
	free(kv);
	return r;
}

/* The tokenizer: a directory's files if they travel, else the header's. */
static int
read_vocab(struct pack *p, struct err *e)
{
	struct vocab_file *f = calloc(p->nfile + 1, sizeof *f);
	uint64_t rows = 0;
	const void *text;
	size_t n = 0;
	int r = -1;

	if (!f || !(p->vocab = vocab_new(e))) {
		free(f);
		return err_set(e, "out of memory");
	}
	for (size_t i = 0; i < p->in->ntensor; i++)
		if (name_is_embedding(p->in->tensor[i].name) && p->in->tensor[i].ndim == 2)
			rows = p->in->tensor[i].dim[0];
	for (size_t i = 0; i < p->nfile; i++)
		if (strncmp(p->file[i].name, ".source/", 8))
			f[n++] = (struct vocab_file){ p->file[i].name, p->file[i].p, p->file[i].n };
	if (pack_file(p, "tokenizer.json") || pack_file(p, "tokenizer.model") ||
	    pack_file(p, "vocab.json"))
		r = vocab_from_hf(p->vocab, f, n, arch_family(p->model), rows, e);
	else if (p->foreign.format == &format_gguf)
		r = vocab_of_keys(p, e);
	else if (p->foreign.format == &format_apr)
		r = (text = apr_text(p, &n)) ? vocab_from_apr(p->vocab, text, n, e) : 0;
	else
		r = 0;
	free(f);
	take_warnings(p);
	return r < 0 ? err_prefix(e, "tokenizer") : 0;
}

static bool
has_vocab(const struct pack *p)
{
	return p->vocab && p->vocab->kind != VOCAB_NONE;
}

static bool
has_key(const void *text, size_t n, const char *word)
{
	return n > 0 && memmem(text, n, word, strlen(word)) != NULL;
}

static bool
is_key(void *ctx, const char *key)
{
	return !strcmp(ctx, key);
}

/* One of the tokenizer's keys, where an .apr only names it. */
static int
fill(void *ctx, const char *key, struct buf *out, uint64_t *nkv, struct err *e)
{
	struct pack *p = ctx;
	char name[128];

	snprintf(name, sizeof name, "%s", key);
	return has_vocab(p) ? vocab_put_gguf(p->vocab, out, nkv, is_key, name, e) : 0;
}

/* A way to cut text that a filter or its user set, where the source has none. */
static void
heed_pre(struct pack *p)
{
	for (size_t i = 0; p->vocab && !p->vocab->pre && i < p->in->nset; i++) {
		const char *s = p->in->set[i].value;
		char name[64];

		if (strcmp(p->in->set[i].key, "tokenizer.ggml.pre") || *s != '"' ||
		    strlen(s) - 2 >= sizeof name)
			continue;
		snprintf(name, sizeof name, "%.*s", (int)strlen(s) - 2, s + 1);
		if ((p->vocab->pre = vocab_pre_by_name(name)))
			p->vocab->pre_name = p->vocab->pre->name;
	}
}

/* A GGUF header without tensors, as if the source had been one. */
static int
for_gguf(struct pack *p, struct err *e)
{
	bool apr = p->foreign.format == &format_apr;
	struct buf b = { 0 };
	struct keys k = { &b, 0 };
	struct arch_about a;
	const void *text;
	size_t n = 0;
	int r = 0;

	about(p, &a);
	heed_pre(p);
	buf_str(&b, "GGUF");
	gguf_put_u32(&b, GGUF_VERSION);
	gguf_put_u64(&b, 0);
	gguf_put_u64(&b, 0);
	text = apr ? apr_text(p, &n) : NULL;
	if (has_key(text, n, "\"apr_tools.gguf\""))
		r = gguf_from_json(text, n, fill, p, &b, &k.n, e);
	if (r == 0 && k.n == 0 && (r = arch_put_keys(p->model, &a, put_key, &k, e)) == 0 &&
	    has_vocab(p) && (r = vocab_put_gguf(p->vocab, &b, &k.n, NULL, NULL, e)) < 0)
		err_prefix(e, "tokenizer");
	take_warnings(p);
	if (r < 0 || buf_check(&b, e) < 0 || !(p->mademan = manifest_new(e))) {
		buf_release(&b);
		return -1;
	}
	le64_put(b.p + 16, k.n);
	p->mademan->metadata = "{}";
	p->has_made = true;
	return header_parse_mem(&p->made, &format_gguf, &b, p->mademan, 0, e);
}

/* A safetensors header's __metadata__, as aprender passes it on. */
struct source_metadata {
	struct buf	*out;
	struct json_writer w;
	int		 depth;
	bool		 next, inside;
};

static int
find_metadata(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct source_metadata *f = ctx;
	int change = (ev == JSON_OBJECT || ev == JSON_ARRAY) -
	    (ev == JSON_OBJECT_END || ev == JSON_ARRAY_END);

	f->depth += change;
	if (f->next)
		f->inside = true;
	f->next = f->depth == 1 && ev == JSON_KEY && n == 12 && !memcmp(s, "__metadata__", 12);
	if (f->inside && json_write(&f->w, ev, s, n, e) < 0)
		return -1;
	if (f->depth == 1 && change < 0)
		f->inside = false;
	return 0;
}

static int
source_metadata(const struct pack *p, struct buf *b, struct err *e)
{
	struct source_metadata f = { .out = b, .w = { .out = b } };
	const struct carried *h = pack_file(p, ".source/header.00001");
	int r = 0;

	if (!h)
		h = pack_file(p, ".source/header");
	if (h && h->n > 8 && p->in->nshard <= 1 && p->in->source &&
	    (!strcmp(p->in->source, "hf") || !strcmp(p->in->source, "safetensors")))
		r = json_text("header", h->p + 8, h->n - 8, find_metadata, &f, e);
	buf_put(b, "", 1);
	return r < 0 ? -1 : buf_check(b, e);
}

/* Keys of a GGUF's tokenizer that aprender's own words hold just as well. */
struct spoken {
	struct pack	*p;
	struct vocab	*again;		/* read from those words */
	struct err	*e;
};

static bool
is_spoken(void *ctx, const char *key)
{
	static const char *const long_ones[] = {
		"tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type",
		"tokenizer.ggml.merges",
	};
	struct spoken *s = ctx;
	const struct header *h = &s->p->foreign;
	const struct gguf *g = h->priv;
	struct buf b = { 0 };
	struct err ignored;
	char name[128];
	uint64_t n = 0;
	bool same = false, is_long = false;

	for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
		is_long |= !strcmp(key, long_ones[i]);
	if (!is_long || !s->again || s->again->kind == VOCAB_NONE)
		return false;
	snprintf(name, sizeof name, "%s", key);
	if (vocab_put_gguf(s->again, &b, &n, is_key, name, &ignored) == 0 && n == 1)
		for (size_t i = 0; i < g->nkv; i++)
			same |= !strcmp(g->kv[i].key, key) && g->kv[i].len == b.len &&
			    !memcmp(h->raw.p + g->kv[i].from, b.p, b.len);
	buf_release(&b);
	return same;
}

static int
put_keys_json(struct pack *p, struct err *e)
{
	struct buf all = { 0 };
	struct spoken s = { .p = p };
	struct err ignored;
	int r;

	buf_put(&all, p->members.p, p->members.len);
	buf_str(&all, "}");
	if (has_vocab(p) && (s.again = vocab_new(e)) && !all.bad &&
	    vocab_from_apr(s.again, all.p, all.len, &ignored) < 0) {
		vocab_free(s.again);
		s.again = NULL;
	}
	buf_release(&all);
	buf_str(&p->members, ",\"apr_tools.gguf\":");
	r = gguf_put_json(&p->foreign, is_spoken, &s, &p->members, e);
	vocab_free(s.again);
	return r;
}

/* The members of an .apr's metadata, all but the end. */
static int
for_apr(struct pack *p, struct err *e)
{
	bool gguf = p->foreign.format == &format_gguf;
	int conv = arch_conv_by_name(p->in->convention);
	const char *format = gguf ? "gguf" : "safetensors";
	struct buf from = { 0 };
	uint64_t n = 0;
	int r;

	p->tied = arch_is_tied(p->model, p->in, (enum arch_conv)conv);
	for (size_t i = 0; i < p->m->ntensor; i++) {
		n += p->m->tensor[i].n;
		if (p->tied && name_is_embedding(p->m->tensor[i].name))
			n += p->m->tensor[i].n;
	}
	p->has_members = true;
	buf_str(&p->members, "{");
	if ((r = source_metadata(p, &from, e)) == 0)
		r = arch_put_apr(p->model, p->m, p->in->name, format, n, p->tied,
		    from.len > 1 ? (const char *)from.p : NULL, &p->members, e);
	buf_release(&from);
	if (r == 0 && has_vocab(p) && (r = vocab_put_apr(p->vocab, &p->members, e)) < 0)
		err_prefix(e, "tokenizer");
	take_warnings(p);
	if (r < 0)
		return -1;
	return gguf ? put_keys_json(p, e) : 0;
}

int
pack_metadata(struct pack *p, struct err *e)
{
	int r;

	if (!p->model || pack_same_format(p))
		return 0;
	if (read_foreign(p, e) < 0 || read_vocab(p, e) < 0)
		return -1;
	if (p->t.format != &format_gguf && p->t.format != &format_apr)
		return 0;
	r = p->t.format == &format_gguf ? for_gguf(p, e) : for_apr(p, e);
	/* As large as the tokenizer, which is written now. */
	vocab_free(p->vocab);
	p->vocab = NULL;
	return r;
}

static int
gather(void *ctx, const void *b, size_t n, struct err *e)
{
	buf_put(ctx, b, n);
	return buf_check(ctx, e);
}

static int
make_tokenizer(struct pack *p, struct err *e)
{
	const char *name;
	int r = 0;

	if (!has_vocab(p) || pack_file(p, "tokenizer.json") || pack_file(p, "tokenizer.model") ||
	    pack_file(p, "vocab.json"))
		return 0;
	for (size_t i = 0; r == 0 && (name = vocab_file_name(p->vocab, i)); i++) {
		struct buf b = { 0 };

		if ((r = vocab_put_file(p->vocab, name, gather, &b, e)) < 0)
			err_prefix(e, "%s", name);
		if (r == 0)
			r = pack_write_file(p, name, &b, e);
		buf_release(&b);
	}
	take_warnings(p);
	return r;
}

int
pack_make_files(struct pack *p, struct err *e)
{
	static const char *const names[] = {
		"config.json", "generation_config.json", "README.md",
	};
	int conv = arch_conv_by_name(p->in->convention), r = 0;

	if (!p->model || pack_same_format(p))
		return 0;
	for (size_t i = 0; i < p->ncaptured; i++)
		if (arch_set_config(p->model, p->captured[i].name, p->captured[i].data.p,
		    p->captured[i].data.len, e) < 0)
			return -1;
	/* A source that was a directory once still has its own. */
	if (make_tokenizer(p, e) < 0)
		return -1;
	if (pack_file(p, "config.json"))
		return 0;
	for (size_t i = 0; r == 0 && i < sizeof names / sizeof *names; i++) {
		struct buf b = { 0 };

		if ((r = arch_put_file(p->model, p->in, (enum arch_conv)conv, names[i], &b, e)) == 0 &&
		    b.len > 0)
			r = pack_write_file(p, names[i], &b, e);
		buf_release(&b);
	}
	return r;
}
