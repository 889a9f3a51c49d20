/* SPDX-License-Identifier: MIT */
/* vocab.c -- what all readers and writers of tokenizers do to one. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <xxhash.h>

#include <apr/size.h>

#include "token.h"

#define TEXT_MAX	((size_t)1 << 30)
#define WARNINGS	64

struct vocab_index {
	size_t		 mask;
	XXH64_hash_t	 seed;
	uint32_t	 slot[];	/* id + 1; 0: free */
};

const char *const vocab_special_name[VOCAB_SPECIALS] = {
	[VOCAB_BOS] = "bos", [VOCAB_EOS] = "eos", [VOCAB_UNK] = "unk",
	[VOCAB_SEP] = "sep", [VOCAB_PAD] = "pad", [VOCAB_CLS] = "cls",
	[VOCAB_MASK] = "mask", [VOCAB_EOT] = "eot", [VOCAB_EOM] = "eom",
};

struct vocab *
vocab_new(struct err *e)
{
	struct vocab *v = calloc(1, sizeof *v);

	if (!v) {
		err_set(e, "out of memory");
		return NULL;
	}
	for (size_t i = 0; i < VOCAB_SPECIALS; i++)
		v->id[i] = -1;
	v->add_bos = v->add_eos = v->add_sep = -1;
	v->space_prefix = v->extra_blanks = -1;
	return v;
}

void
vocab_free(struct vocab *v)
{
	if (!v)
		return;
	vocab_unindex(v);
	free(v->token);
	free(v->merge);
	free(v->chat);
	free(v->warning);
	buf_release(&v->text);
	arena_release(&v->arena);
	free(v);
}

int
vocab_room(struct vocab *v, size_t n, struct err *e)
{
	struct vocab_token *p;
	size_t cap = v->cap;

	if (n > VOCAB_MAX)
		return err_set(e, "%zu tokens: at most %u are allowed", n, VOCAB_MAX);
	if (n > cap) {
		cap += cap / 4 + 1024;
		if (cap < n)
			cap = n;
		if (!(p = realloc(v->token, cap * sizeof *p)))
			return err_set(e, "out of memory");
		memset(p + v->cap, 0, (cap - v->cap) * sizeof *p);
		v->token = p;
		v->cap = cap;
	}
	if (n > v->ntoken)
		v->ntoken = n;
	return 0;
}

int
vocab_text(struct vocab *v, const void *p, size_t n, uint32_t *at, struct err *e)
{
	if (n > TEXT_MAX - v->text.len)
		return err_set(e, "more than %zu bytes of tokens", TEXT_MAX);
	*at = (uint32_t)v->text.len;
	buf_put(&v->text, p, n);
	return buf_check(&v->text, e);
}

int
vocab_token(struct vocab *v, size_t id, const void *p, size_t n,
    enum vocab_type type, float score, struct err *e)
{
	struct vocab_token *t = &v->token[id];
	uint32_t at = 0;

	if (n > VOCAB_TEXT)
		return err_set(e, "token %zu has %zu bytes: at most %d are allowed",
		    id, n, VOCAB_TEXT);
	/* The same text again, as added tokens often are. */
	if (t->type && t->len == n && n > 0 && !memcmp(vocab_bytes(v, id), p, n))
		at = t->at;
	else if (vocab_text(v, p, n, &at, e) < 0)
		return -1;
	*t = (struct vocab_token){ .at = at, .len = (uint32_t)n, .score = score,
	    .type = (uint8_t)type, .flags = t->flags };
	return 0;
}

int
vocab_merge_at(struct vocab *v, uint32_t at, size_t left, size_t right, struct err *e)
{
	struct vocab_merge *p;

	if (v->nmerge == v->capmerge) {
		size_t cap = v->capmerge + v->capmerge / 4 + 1024;

		if (cap > UINT32_MAX || !(p = realloc(v->merge, cap * sizeof *p)))
			return err_set(e, "out of memory");
		v->merge = p;
		v->capmerge = cap;
	}
	v->merge[v->nmerge++] = (struct vocab_merge){ at, (uint16_t)left, (uint16_t)right };
	return 0;
}

int
vocab_merge(struct vocab *v, const void *l, size_t nl, const void *r, size_t nr,
    struct err *e)
{
	uint32_t at = 0, more;

	if (nl == 0 || nr == 0)
		return err_set(e, "merge %zu has an empty part", v->nmerge);
	if (nl > VOCAB_TEXT || nr > VOCAB_TEXT)
		return err_set(e, "merge %zu: parts of %zu and %zu bytes, at most %d"
		    " are allowed", v->nmerge, nl, nr, VOCAB_TEXT);
	if (vocab_text(v, l, nl, &at, e) < 0 || vocab_text(v, r, nr, &more, e) < 0)
		return -1;
	return vocab_merge_at(v, at, nl, nr, e);
}

int
vocab_merge_text(struct vocab *v, const char *s, size_t n, struct err *e)
{
	const char *cut = n > 1 ? memchr(s + 1, ' ', n - 1) : NULL;

	if (!cut)
		return err_set(e, "merge %zu is not two parts with a blank between",
		    v->nmerge);
	return vocab_merge(v, s, (size_t)(cut - s), cut + 1,
	    n - (size_t)(cut + 1 - s), e);
}

void
vocab_unindex(struct vocab *v)
{
	free(v->index);
	v->index = NULL;
}

static uint32_t *
slot(const struct vocab *v, const void *p, size_t n)
{
	struct vocab_index *x = v->index;
	size_t i = XXH3_64bits_withSeed(p, n, x->seed) & x->mask;

	for (; x->slot[i]; i = (i + 1) & x->mask) {
		size_t id = x->slot[i] - 1;

		if (v->token[id].len == n && (n == 0 || !memcmp(vocab_bytes(v, id), p, n)))
			break;
	}
	return &x->slot[i];
}

int
vocab_index(struct vocab *v, int32_t *twice, struct err *e)
{
	struct vocab_index *x;
	size_t size = 64;

	vocab_unindex(v);
	while (size / 4 * 3 < v->ntoken)	/* ntoken <= VOCAB_MAX */
		size *= 2;
	if (!(x = calloc(1, sizeof *x + size * sizeof *x->slot)))
		return err_set(e, "out of memory");
	x->mask = size - 1;
	if (getrandom(&x->seed, sizeof x->seed, GRND_NONBLOCK) < 0)
		x->seed = (XXH64_hash_t)(uintptr_t)x;
	v->index = x;
	*twice = -1;
	for (size_t id = 0; id < v->ntoken; id++) {
		const struct vocab_token *t = &v->token[id];
		uint32_t *s;

		if (!t->type)
			continue;
		s = slot(v, vocab_bytes(v, id), t->len);
		if (*s == 0)
			*s = (uint32_t)id + 1;
		else if (*twice < 0)
			*twice = (int32_t)id;
	}
	return 0;
}

int32_t
vocab_find(const struct vocab *v, const void *p, size_t n)
{
	return v->index ? (int32_t)*slot(v, p, n) - 1 : -1;
}

void
vocab_blanks(const char *s, size_t n, struct buf *b)
{
	const char *p;

	while (n > 0) {
		size_t k = (p = memchr(s, ' ', n)) ? (size_t)(p - s) : n;

		buf_put(b, s, k);
		if (p)
			buf_str(b, LOW_LINE);
		k += p != NULL;
		s += k;
		n -= k;
	}
}

static int
both(const struct vocab *v, const char *what, int32_t a, int32_t b, struct err *e)
{
	return err_set(e, "%s: ids %d and %d are both %.*s", what, a, b,
	    (int)v->token[b].len, vocab_bytes(v, (size_t)b));
}

int
vocab_once(struct vocab *v, const char *what, struct err *e)
{
	int32_t twice;

	if (vocab_index(v, &twice, e) < 0)
		return -1;
	return twice < 0 ? 0 : both(v, what, vocab_find(v, vocab_bytes(v, (size_t)twice),
	    v->token[twice].len), twice, e);
}

/* What a file has in place of token i: may another have the same there? */
static int
check_one(const struct vocab *v, size_t i, const char *what, struct buf *text, struct err *e)
{
	const struct vocab_token *t = &v->token[i];
	const char *s = vocab_bytes(v, i);
	int32_t id;

	if (t->type && (t->len == 0 || !utf8_valid(s, t->len)))
		return err_set(e, "%s: token %zu is %s", what, i, t->len ? "not UTF-8" : "empty");
	if (v->kind == VOCAB_BPE || (t->type && !memchr(s, ' ', t->len)))
		return 0;
	text->len = 0;
	if (!t->type) {
		buf_printf(text, "[PAD%zu]", i);
	} else {
		/* ("a b" + LOW_LINE and "a" + LOW_LINE + "b " would be one.) */
		if (memmem(s, t->len, LOW_LINE, 3))
			return err_set(e, "%s: token %zu, %.*s, has blanks of two kinds", what, i,
			    (int)t->len, s);
		vocab_blanks(s, t->len, text);
		if (text->len > VOCAB_TEXT)
			return err_set(e, "%s: token %zu has %zu bytes: at most %d are allowed",
			    what, i, text->len, VOCAB_TEXT);
	}
	if (buf_check(text, e) < 0)
		return -1;
	if ((id = vocab_find(v, text->p, text->len)) < 0)
		return 0;
	return t->type ? both(v, what, id, (int32_t)i, e) :
	    err_set(e, "%s: id %d is %.*s, as id %zu is called, which is no token", what, id,
	    (int)text->len, text->p, i);
}

int
vocab_check(struct vocab *v, const char *what, struct err *e)
{
	struct buf text = { 0 };
	int r = vocab_once(v, what, e);

	for (size_t i = 0; i < v->ntoken && r == 0; i++)
		r = check_one(v, i, what, &text, e);
	buf_release(&text);
	return r;
}

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int
vocab_byte(const char *s, size_t n)
{
	if (n != 6 || memcmp(s, "<0x", 3) || s[5] != '>' || hex(s[3]) < 0 || hex(s[4]) < 0)
		return -1;
	return hex(s[3]) << 4 | hex(s[4]);
}

static bool
framed(const char *s, size_t n, const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	return n >= na && n >= nb && !memcmp(s, a, na) && !memcmp(s + n - nb, b, nb);
}

bool
vocab_looks_special(const char *s, size_t n)
{
	static const char *const known[] = { "<pad>", "<mask>", "<2mass>", "[@BOS@]" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (n == strlen(known[i]) && !memcmp(s, known[i], n))
			return true;
	return framed(s, n, "<|", "|>") || framed(s, n, "<\xef\xbd\x9c", "\xef\xbd\x9c>") ||
	    framed(s, n, "<unused", ">");
}

void
vocab_key(struct vocab *v, unsigned key)
{
	for (size_t i = 0; i < v->nkey; i++)
		if (v->key[i] == key)
			return;
	v->key[v->nkey++] = (uint8_t)key;	/* each once: there is room */
}

void
vocab_id(struct vocab *v, enum vocab_special which, int64_t id)
{
	if (v->id[which] >= 0 || id < 0 || id >= VOCAB_MAX)
		return;
	v->id[which] = (int32_t)id;
	vocab_key(v, VOCAB_KEY_ID + (unsigned)which);
}

void
vocab_flag(struct vocab *v, unsigned key, bool on)
{
	signed char *f = key == VOCAB_KEY_ADD_BOS ? &v->add_bos :
	    key == VOCAB_KEY_ADD_EOS ? &v->add_eos :
	    key == VOCAB_KEY_ADD_SEP ? &v->add_sep :
	    key == VOCAB_KEY_SPACE_PREFIX ? &v->space_prefix : &v->extra_blanks;

	*f = on;
	vocab_key(v, key);
}

int
vocab_chat(struct vocab *v, const char *name, const char *s, size_t n, struct err *e)
{
	struct vocab_template *p;
	size_t i = 0;

	/* No format has two of a name: as in a dictionary the last one stays. */
	while (i < v->nchat && (name && v->chat[i].name ? strcmp(name, v->chat[i].name) != 0 :
	    name != v->chat[i].name))
		i++;
	if (i < v->nchat)
		vocab_warn(v, "the chat template %s is there twice: the last one is taken",
		    name ? name : "default");
	if (i >= 1024)
		return err_set(e, "more than 1024 chat templates");
	if (i == v->nchat && array_room(&v->chat, v->nchat, sizeof *p, e) < 0)
		return -1;
	p = &v->chat[i];
	*p = (struct vocab_template){ NULL, arena_strn(&v->arena, s, n), n };
	if (name)
		p->name = arena_strn(&v->arena, name, strlen(name));
	if (!p->text || (name && !p->name))
		return err_set(e, "out of memory");
	v->nchat += i == v->nchat;
	vocab_key(v, VOCAB_KEY_TEMPLATES);
	return 0;
}

void
vocab_warn(struct vocab *v, const char *fmt, ...)
{
	const char **p;
	struct err e;
	char s[512];
	va_list ap;

	if (v->nwarning > WARNINGS ||
	    array_room(&v->warning, v->nwarning, sizeof *p, &e) < 0)
		return;
	p = v->warning;
	va_start(ap, fmt);
	vsnprintf(s, sizeof s, fmt, ap);
	va_end(ap);
	if (v->nwarning == WARNINGS)
		snprintf(s, sizeof s, "and more");
	err_set(&e, "%s", s);	/* which tames control characters */
	for (size_t i = 0; i < v->nwarning; i++)
		if (!strcmp(p[i], e.msg))
			return;
	if ((p[v->nwarning] = arena_strn(&v->arena, e.msg, strlen(e.msg))))
		v->nwarning++;
}
