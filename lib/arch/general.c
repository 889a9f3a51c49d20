/* SPDX-License-Identifier: MIT */
/* general.c -- GGUF's general.* keys: what people call the model. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "readme.h"
#include "title.h"

struct out {
	arch_put_key	*put;
	void		*ctx;
};

static int
string(const struct out *o, const char *key, const void *s, size_t n, struct err *e)
{
	struct buf b = { 0 };
	int r;

	if (n == 0)
		return 0;
	buf_json(&b, s, n);
	buf_put(&b, "", 1);
	r = buf_check(&b, e) < 0 ? -1 : o->put(o->ctx, key, "string", (char *)b.p, e);
	buf_release(&b);
	return r;
}

static int
text(const struct out *o, const char *key, const char *s, struct err *e)
{
	return s ? string(o, key, s, strlen(s), e) : 0;
}

static int
sampling(const struct out *o, const struct arch_about *about, struct err *e)
{
	static const struct { const char *key, *type, *name[2]; } keys[] = {
		{ "sequence", "string", { "sequence" } },
		{ "top_k", "i32", { "top_k" } }, { "top_p", "f32", { "top_p" } },
		{ "min_p", "f32", { "min_p" } },
		{ "xtc_probability", "f32", { "xtc_probability" } },
		{ "xtc_threshold", "f32", { "xtc_threshold" } },
		{ "temp", "f32", { "temperature" } },
		{ "penalty_last_n", "i32", { "penalty_last_n" } },
		{ "penalty_repeat", "f32", { "penalty_repeat", "repetition_penalty" } },
		{ "mirostat", "i32", { "mirostat" } },
		{ "mirostat_tau", "f32", { "mirostat_tau" } },
		{ "mirostat_eta", "f32", { "mirostat_eta" } },
	};
	struct doc d = { 0 };
	char key[64];
	int r = 0;

	if (about->generation)
		r = doc_read(&d, "generation_config.json", about->generation, about->ngeneration, e);
	for (size_t i = 0; r == 0 && i < sizeof keys / sizeof *keys; i++) {
		const struct doc_item *it = doc_find(&d, keys[i].name[0]);

		if (!it && keys[i].name[1])
			it = doc_find(&d, keys[i].name[1]);
		snprintf(key, sizeof key, "general.sampling.%s", keys[i].key);
		if (!it || (it->kind == JSON_STRING) != !strcmp(keys[i].type, "string") ||
		    (it->kind != JSON_STRING && it->kind != JSON_NUMBER))
			continue;
		r = it->kind == JSON_STRING ? text(o, key, it->text, e) :
		    o->put(o->ctx, key, keys[i].type, it->text, e);
	}
	doc_release(&d);
	return r;
}

/* 984K, 3.9M, 8x1.4M: two digits that count. */
static void
rounded(char label[32], double n)
{
	static const struct { double more, unit; const char *name; } units[] = {
		{ 1e12, 1e12, "T" }, { 1e9, 1e9, "B" }, { 1e6, 1e6, "M" }, { -1, 1e3, "K" },
	};
	size_t i = 0;
	double v, whole;
	int digits;

	while (n <= units[i].more)
		i++;
	v = n / units[i].unit;
	/* How many digits stand before the point once it is rounded. */
	whole = nearbyint(v);
	digits = whole < 10 ? 1 : 2;
	snprintf(label, 32, "%.*f%s", 2 - digits, v, units[i].name);
}

static void
computed_size(const struct arch_about *about, char label[64])
{
	double n = 0, shared = 0, stacked = 0, experts = 0;
	char r[32];
	size_t stacks = 0;

	for (size_t i = 0; i < about->nt; i++) {
		const struct tensor *t = &about->t[i];

		n += (double)t->n;
		if (!strstr(t->name, "_exps.") || t->ndim < 3 || t->dim[0] == 0) {
			shared += (double)t->n;
			continue;
		}
		stacked += (double)(t->n / t->dim[0]);
		experts += (double)t->dim[0];
		stacks++;
	}
	rounded(r, stacks ? shared + stacked : n);
	if (stacks)
		snprintf(label, 64, "%.0fx%s", nearbyint(experts / (double)stacks), r);
	else
		snprintf(label, 64, "%s", r);
}

/* general.base_model.0.name and so on, from "Org/Name-x". */
static int
related(const struct out *o, const struct card *c, const char *card, const char *what,
    struct err *e)
{
	static const char site[] = "https://huggingface.co/";
	const char *id;
	char key[64], number[24];
	size_t n = 0;
	int r = 0;

	while (card_find(c, card, n))
		n++;
	if (n == 0)
		return 0;
	snprintf(key, sizeof key, "general.%s.count", what);
	snprintf(number, sizeof number, "%zu", n);
	if (o->put(o->ctx, key, "u32", number, e) < 0)
		return -1;
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct title t = { 0 };
		struct buf b = { 0 };

		id = card_find(c, card, i);
		if (!strncmp(id, site, sizeof site - 1))
			id += sizeof site - 1;
		r = title_read(&t, id, 0, e);
		snprintf(key, sizeof key, "general.%s.%zu.name", what, i);
		if (r == 0)
			r = string(o, key, t.name.p, t.name.len, e);
		snprintf(key, sizeof key, "general.%s.%zu.version", what, i);
		if (r == 0)
			r = string(o, key, t.version.p, t.version.len, e);
		title_words(&b, (char *)t.org.p, t.org.len);
		snprintf(key, sizeof key, "general.%s.%zu.organization", what, i);
		if (r == 0)
			r = string(o, key, b.p, t.org.len ? b.len : 0, e);
		b.len = 0;
		buf_printf(&b, "%s%.*s/%.*s", site, (int)t.org.len, t.org.p ? (char *)t.org.p : "",
		    (int)t.full.len, t.full.p ? (char *)t.full.p : "");
		snprintf(key, sizeof key, "general.%s.%zu.repo_url", what, i);
		if (r == 0 && t.org.len)
			r = string(o, key, b.p, b.len, e);
		buf_release(&b);
		title_release(&t);
	}
	return r;
}

/* Two keys of the card as one list. */
static int
list(const struct out *o, const struct card *c, const char *a, const char *b,
    const char *key, struct err *e)
{
	struct buf j = { 0 };
	const char *s;
	int r = 0;

	buf_str(&j, "[");
	for (int k = 0; k < 2; k++)
		for (size_t i = 0; (s = card_find(c, k ? b : a, i)); i++) {
			buf_str(&j, j.len > 1 ? "," : "");
			buf_json(&j, s, strlen(s));
		}
	if (j.len > 1) {
		buf_str(&j, "]");
		buf_put(&j, "", 1);
		r = buf_check(&j, e) < 0 ? -1 : o->put(o->ctx, key, "[string]", (char *)j.p, e);
	}
	buf_release(&j);
	return r;
}

static size_t
slashes(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == '/';
	return n;
}

static int
put_general(const struct arch_model *m, const struct arch_about *about, const struct card *c,
    const struct title *t, const char *given, const struct out *o, struct err *e)
{
	char size[64];
	struct buf org = { 0 };
	int r;

	(void)m;
	title_words(&org, (char *)t->org.p, t->org.len);
	computed_size(about, size);
	r = sampling(o, about, e) < 0 ||
	    (given ? text(o, "general.name", given, e) :
	    string(o, "general.name", t->name.p, t->name.len, e)) < 0 ||
	    string(o, "general.version", t->version.p, t->version.len, e) < 0 ||
	    string(o, "general.organization", org.p, t->org.len ? org.len : 0, e) < 0 ||
	    string(o, "general.finetune", t->finetune.p, t->finetune.len, e) < 0 ||
	    string(o, "general.basename", t->basename.p, t->basename.len, e) < 0 ||
	    (t->size.len ? string(o, "general.size_label", t->size.p, t->size.len, e) :
	    text(o, "general.size_label", size, e)) < 0 ||
	    text(o, "general.license", card_find(c, "license", 0), e) < 0 ||
	    text(o, "general.license.name", card_find(c, "license_name", 0), e) < 0 ||
	    text(o, "general.license.link", card_find(c, "license_link", 0), e) < 0 ||
	    related(o, c, "base_model", "base_model", e) < 0 ||
	    related(o, c, "datasets", "dataset", e) < 0 ||
	    list(o, c, "tags", "pipeline_tag", "general.tags", e) < 0 ||
	    list(o, c, "languages", "language", "general.languages", e) < 0 ? -1 : 0;
	buf_release(&org);
	return r;
}

int
arch_put_general(const struct arch_model *m, const struct arch_about *about,
    arch_put_key *put, void *ctx, struct err *e)
{
	const char *path = doc_string(&m->doc, "_name_or_path"), *given, *id;
	struct out o = { put, ctx };
	struct title t = { 0 };
	struct card c = { 0 };
	uint64_t n = 0;
	int r = 0;

	for (size_t i = 0; i < about->nt; i++)
		n += about->t[i].n;
	if (about->readme)
		r = card_read(&c, about->readme, about->nreadme, e);
	if (!(given = card_find(&c, "name", 0)))
		given = card_find(&c, "model_name", 0);
	id = given ? given : path && *path && slashes(path) <= 1 ? path :
	    about->name ? about->name : "";
	if (r == 0 && (r = title_read(&t, id, n, e)) == 0)
		r = put_general(m, about, &c, &t, given, &o, e);
	title_release(&t);
	card_release(&c);
	return r;
}
