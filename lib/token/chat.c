/* SPDX-License-Identifier: MIT */
/*
 * chat.c -- messages through a model's chat template.
 *
 * Templates are read as transformers reads them: the line end behind a tag
 * goes, and blanks before a tag that begins a line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chat.h"

int
chat_bad(struct chat *c, const char *fmt, ...)
{
	size_t line = 1;
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (const char *p = c->begin; p < c->p && p < c->end; p++)
		line += *p == '\n';
	return err_set(c->e, "chat template, line %zu: %s (another: --template)", line, text);
}

int
chat_bounds(struct chat *c)
{
	if (c->steps > CHAT_STEPS)
		return chat_bad(c, "it takes too long");
	return c->memory <= CHAT_MEMORY ? 0 :
	    chat_bad(c, "its values take more than %d MiB, or are too deep", CHAT_MEMORY >> 20);
}

static int block(struct chat *, const char *const *stop, int *which);

static int
put(struct chat *c, const char *s, size_t n)
{
	if (!c->live)
		return 0;
	buf_put(c->out, s, n);
	if (c->out->len > CHAT_OUT)
		return chat_bad(c, "it makes more than %d bytes", CHAT_OUT);
	return buf_check(c->out, c->e);
}

/* The end of a tag; "-" takes the blanks behind it, a statement a newline. */
static int
close_tag(struct chat *c, const char *mark, bool statement)
{
	bool bare = false;

	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
		c->p++;
	if (c->p < c->end && *c->p == '-') {
		bare = true;
		c->p++;
	} else if (c->p < c->end && *c->p == '+') {
		statement = false;
		c->p++;
	}
	if (c->end - c->p < 2 || memcmp(c->p, mark, 2))
		return chat_bad(c, "what stands before %.10s is not understood", c->p);
	c->p += 2;
	if (bare)
		while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
			c->p++;
	else if (statement && c->p < c->end && *c->p == '\n')
		c->p++;
	return 0;
}

/* Text up to the next tag. */
static int
text(struct chat *c)
{
	const char *from = c->p, *p = from, *upto;
	bool line = from == c->begin || from[-1] == '\n';

	while (p + 1 < c->end && !(*p == '{' && (p[1] == '{' || p[1] == '%' || p[1] == '#')))
		p++;
	if (p + 1 >= c->end)
		p = c->end;
	c->p = upto = p;
	if (p < c->end && p + 2 < c->end && p[2] == '-') {
		while (upto > from && (upto[-1] == ' ' || upto[-1] == '\n' || upto[-1] == '\t' || upto[-1] == '\r'))
			upto--;
	} else if (p < c->end && p[1] != '{' && !(p + 2 < c->end && p[2] == '+')) {
		const char *q = p;

		while (q > from && (q[-1] == ' ' || q[-1] == '\t'))
			q--;
		if (q == from ? line : q[-1] == '\n')
			upto = q;
	}
	return put(c, from, (size_t)(upto - from));
}

static int
conditional(struct chat *c)
{
	static const char *const stops[] = { "elif", "else", "endif", NULL };
	bool live = c->live, done = false;
	struct value v;
	int which;

	for (;;) {
		if (chat_expr(c, &v) < 0 || close_tag(c, "%}", true) < 0)
			return -1;
		c->live = live && !done && chat_true(&v);
		done |= c->live;
		if (block(c, stops, &which) < 0)
			return -1;
		c->live = live && !done;
		if (which == 1) {
			if (close_tag(c, "%}", true) < 0 || block(c, stops + 2, &which) < 0)
				return -1;
			which = 2;
		}
		if (which == 2)
			break;
	}
	c->live = live;
	return close_tag(c, "%}", true);
}

static int
loop_var(struct chat *c, size_t i, size_t n, const struct value *list)
{
	struct value loop = { .type = CHAT_MAP };
	struct { const char *name; struct value v; } part[] = {
		{ "index", chat_int((long long)i + 1) }, { "index0", chat_int((long long)i) },
		{ "first", chat_bool(i == 0) }, { "last", chat_bool(i + 1 == n) },
		{ "length", chat_int((long long)n) }, { "revindex", chat_int((long long)(n - i)) },
		{ "previtem", i ? list->item[i - 1].v : (struct value){ 0 } },
		{ "nextitem", i + 1 < n ? list->item[i + 1].v : (struct value){ 0 } },
	};

	for (size_t k = 0; k < sizeof part / sizeof *part; k++)
		if (chat_put(c, &loop, chat_str(c, part[k].name, strlen(part[k].name)), part[k].v) < 0)
			return -1;
	c->var[c->nvar++] = (struct scope){ "loop", 4, loop };
	return 0;
}

static int
bind(struct chat *c, const char *const *name, const size_t *len, size_t names, struct value v)
{
	for (size_t k = 0; k < names; k++)
		c->var[c->nvar++] = (struct scope){ name[k], len[k], names == 1 ? v :
		    v.type == CHAT_LIST && k < v.n ? v.item[k].v : (struct value){ 0 } };
	return 0;
}

static int
loop(struct chat *c)
{
	static const char *const stops[] = { "else", "endfor", NULL };
	struct value list, keep = { .type = CHAT_LIST }, cond;
	const char *name[2], *filter, *body;
	size_t len[2], names = 0, nvar = c->nvar, base = c->base;
	bool live = c->live;
	int which = 0;

	do
		if (names == 2 || !chat_name(c, &name[names], &len[names]))
			return chat_bad(c, "for what?");
	while (names++, chat_mark(c, ","));
	if (!chat_word(c, "in"))
		return chat_bad(c, "for without in");
	c->no_if = true;
	if (chat_expr(c, &list) < 0)
		return -1;
	if (list.type == CHAT_MAP) {
		struct value keys = { .type = CHAT_LIST };
		const struct value *m = list.box ? list.box : &list;

		for (size_t i = 0; i < m->n; i++)
			if (chat_push(c, &keys, m->item[i].key) < 0)
				return -1;
		list = keys;
	}
	if (live && list.type != CHAT_LIST && list.type != CHAT_NOTHING)
		return chat_bad(c, "for over what is no list");
	if (c->nvar + 4 > CHAT_NAMES)
		return chat_bad(c, "more than %d names", CHAT_NAMES);
	filter = chat_word(c, "if") ? c->p : NULL;
	for (size_t i = 0; live && list.type == CHAT_LIST && i < list.n; i++) {
		cond = chat_bool(true);
		bind(c, name, len, names, list.item[i].v);
		if (filter) {
			c->p = filter;
			if (chat_expr(c, &cond) < 0)
				return -1;
		}
		c->nvar = nvar;
		if (chat_true(&cond) && chat_push(c, &keep, list.item[i].v) < 0)
			return -1;
	}
	if (filter && (!live || list.n == 0)) {
		c->live = false;
		c->p = filter;
		if (chat_expr(c, &cond) < 0)
			return -1;
		c->live = live;
	}
	if (close_tag(c, "%}", true) < 0)
		return -1;
	body = c->p;
	for (size_t i = 0; i < keep.n; i++) {
		c->p = body;
		bind(c, name, len, names, keep.item[i].v);
		c->base = nvar;
		if (loop_var(c, i, keep.n, &keep) < 0 || block(c, stops, &which) < 0)
			return -1;
		c->nvar = nvar;
		c->base = base;
		c->steps += CHAT_ROUND + (c->p - body) / CHAT_BYTES;
		if (chat_bounds(c) < 0)
			return -1;
	}
	if (keep.n == 0) {
		c->live = false;
		if (block(c, stops, &which) < 0)
			return -1;
		c->live = live;
	}
	if (which == 0) {
		c->live = live && keep.n == 0;
		if (close_tag(c, "%}", true) < 0 || block(c, stops + 1, &which) < 0)
			return -1;
		c->live = live;
	}
	return close_tag(c, "%}", true);
}

static int
assign(struct chat *c)
{
	const char *s, *member = NULL;
	size_t n, k = 0;
	struct value v;
	struct scope *x;

	if (!chat_name(c, &s, &n))
		return chat_bad(c, "set what?");
	if (chat_mark(c, ".") && !chat_name(c, &member, &k))
		return chat_bad(c, "set what?");
	if (!chat_mark(c, "="))
		return chat_bad(c, "set without =");
	if (chat_expr(c, &v) < 0 || close_tag(c, "%}", true) < 0)
		return -1;
	if (!c->live)
		return 0;
	if (!member)
		return chat_set(c, s, n, v);
	x = chat_find(c, s, n);
	if (!x || !x->v.box)
		return chat_bad(c, "%.*s is no namespace", (int)n, s);
	return chat_put(c, x->v.box, chat_str(c, member, k), v);
}

/* Statements up to one of `stop`, whose name has been read then. */
static int
block(struct chat *c, const char *const *stop, int *which)
{
	if (++c->depth > CHAT_DEPTH)
		return chat_bad(c, "nested deeper than %d", CHAT_DEPTH);
	while (c->p < c->end) {
		struct value v;
		char kind;

		if (text(c) < 0)
			return -1;
		if (c->p >= c->end)
			break;
		kind = c->p[1];
		c->p += 2;
		if (c->p < c->end && (*c->p == '-' || *c->p == '+'))
			c->p++;
		if (kind == '#') {
			while (c->p + 1 < c->end && (*c->p != '#' || c->p[1] != '}'))
				c->p++;
			if (c->p > c->begin && c->p[-1] == '-')
				c->p--;
			if (close_tag(c, "#}", true) < 0)
				return -1;
			continue;
		}
		if (kind == '{') {
			struct buf b = { 0 };
			int r;

			if (chat_expr(c, &v) < 0 || close_tag(c, "}}", false) < 0)
				return -1;
			chat_print(&v, &b);
			r = b.bad ? chat_bad(c, "a value too large or too deep to print") :
			    put(c, b.len ? (char *)b.p : "", b.len);
			buf_release(&b);
			if (r < 0)
				return -1;
			continue;
		}
		for (int i = 0; stop && stop[i]; i++)
			if (chat_word(c, stop[i])) {
				*which = i;
				c->depth--;
				return 0;
			}
		if (chat_word(c, "if") ? conditional(c) < 0 : chat_word(c, "for") ? loop(c) < 0 :
		    chat_word(c, "set") ? assign(c) < 0 : chat_word(c, "generation") ||
		    chat_word(c, "endgeneration") ? close_tag(c, "%}", true) < 0 :
		    chat_bad(c, "the statement %.12s is not known", c->p) < 0)
			return -1;
	}
	if (stop)
		return chat_bad(c, "%s is missing", stop[0] ? stop[0] : "an end");
	c->depth--;
	return 0;
}

static void
special(struct chat *c, const struct vocab *v, const char *name, enum vocab_special which)
{
	int32_t id = v->id[which];

	if (id >= 0 && (size_t)id < v->ntoken)
		(void)chat_set(c, name, strlen(name), chat_str(c, (const char *)v->text.p +
		    v->token[id].at, v->token[id].len));
}

int
chat_render(const struct vocab *v, const char *tmpl, size_t n, const char *messages, size_t len,
    bool generation, struct buf *out, struct err *e)
{
	struct chat c = { .out = out, .e = e, .live = true };
	struct value m;
	int r = -1;

	for (size_t i = 0; !tmpl && i < v->nchat; i++)
		if (!v->chat[i].name || !strcmp(v->chat[i].name, "default")) {
			tmpl = v->chat[i].text;
			n = v->chat[i].n;
		}
	if (!tmpl)
		return err_set(e, "the model has no chat template (--template)");
	if (n > 200000)
		return err_set(e, "a chat template of %zu bytes", n);
	c.begin = c.p = tmpl;
	c.end = tmpl + n;
	if (chat_read(&c, messages, len, &m) < 0)
		goto out;
	if (m.type != CHAT_LIST) {
		err_set(e, "messages are no list");
		goto out;
	}
	(void)chat_set(&c, "messages", 8, m);
	(void)chat_set(&c, "add_generation_prompt", 21, chat_bool(generation));
	special(&c, v, "bos_token", VOCAB_BOS);
	special(&c, v, "eos_token", VOCAB_EOS);
	special(&c, v, "pad_token", VOCAB_PAD);
	special(&c, v, "unk_token", VOCAB_UNK);
	if ((r = block(&c, NULL, NULL)) == 0)
		r = chat_bounds(&c);
out:
	arena_release(&c.arena);
	return r;
}
