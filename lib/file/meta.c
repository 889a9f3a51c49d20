/* SPDX-License-Identifier: MIT */
/* meta.c -- metadata for an output of another format than the source's. */
#include <string.h>

#include <apr/size.h>

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

/* A GGUF header without tensors, as if the source had been one. */
static int
for_gguf(struct pack *p, struct err *e)
{
	struct buf b = { 0 };
	struct keys k = { &b, 0 };
	struct arch_about a;

	about(p, &a);
	buf_str(&b, "GGUF");
	gguf_put_u32(&b, GGUF_VERSION);
	gguf_put_u64(&b, 0);
	gguf_put_u64(&b, 0);
	if (arch_put_keys(p->model, &a, put_key, &k, e) < 0 || buf_check(&b, e) < 0 ||
	    !(p->mademan = manifest_new(e))) {
		buf_release(&b);
		return -1;
	}
	le64_put(b.p + 16, k.n);
	p->mademan->metadata = "{}";	/* nobody looks */
	p->has_made = true;
	return header_parse_mem(&p->made, &format_gguf, &b, p->mademan, 0, e);
}

int
pack_metadata(struct pack *p, struct err *e)
{
	if (!p->model || pack_same_format(p))
		return 0;
	return p->t.format == &format_gguf ? for_gguf(p, e) : 0;
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
