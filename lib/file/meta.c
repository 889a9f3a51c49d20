/* SPDX-License-Identifier: MIT */
/* meta.c -- metadata for an output of another format than the source's. */
#include <string.h>

#include <apr/size.h>

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

static bool
has_key(const void *text, size_t n, const char *word)
{
	return n > 0 && memmem(text, n, word, strlen(word)) != NULL;
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
	buf_str(&b, "GGUF");
	gguf_put_u32(&b, GGUF_VERSION);
	gguf_put_u64(&b, 0);
	gguf_put_u64(&b, 0);
	text = apr ? apr_text(p, &n) : NULL;
	if (has_key(text, n, "\"apr_tools.gguf\""))
		r = gguf_from_json(text, n, NULL, NULL, &b, &k.n, e);
	if (r == 0 && k.n == 0)
		r = arch_put_keys(p->model, &a, put_key, &k, e);
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

/* The members of an .apr's metadata. */
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
	if ((r = source_metadata(p, &from, e)) == 0)
		r = arch_put_apr(p->model, p->m, p->in->name, format, n, p->tied,
		    from.len > 1 ? (const char *)from.p : NULL, &p->members, e);
	buf_release(&from);
	if (r < 0)
		return -1;
	if (gguf) {
		buf_str(&p->members, ",\"apr_tools.gguf\":");
		return gguf_put_json(&p->foreign, NULL, NULL, &p->members, e);
	}
	return 0;
}

int
pack_metadata(struct pack *p, struct err *e)
{
	if (!p->model || pack_same_format(p))
		return 0;
	if (read_foreign(p, e) < 0)
		return -1;
	return p->t.format == &format_gguf ? for_gguf(p, e) :
	    p->t.format == &format_apr ? for_apr(p, e) : 0;
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
