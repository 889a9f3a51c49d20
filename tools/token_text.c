/* SPDX-License-Identifier: MIT */
/* token_text.c -- ids of a text, and the text of ids, on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "token_text.h"
#include "tool.h"

static void
print_pieces(const struct tokenizer *t, const struct ids *ids)
{
	for (size_t i = 0; i < ids->n; i++) {
		struct buf b = { 0 }, json = { 0 };
		struct detokenizer *d;
		struct err e;

		if (!(d = detokenizer_new(t, DETOKEN_SPECIAL, &e)) ||
		    detokenizer_put(d, ids->p[i], &b, &e) < 0 || detokenizer_end(d, &b, &e) < 0)
			die("%s", e.msg);
		buf_json(&json, b.p, b.len);
		buf_put(&json, "", 1);
		if (buf_check(&json, &e) < 0)
			die("%s", e.msg);
		printf("%d\t%s\n", ids->p[i], (char *)json.p);
		detokenizer_free(d);
		buf_release(&b);
		buf_release(&json);
	}
}

/* "5 17 2": by hand, for there may be millions. */
static void
print_ids(const struct ids *ids)
{
	char out[16384], digits[12], *p = out;

	for (size_t i = 0; i < ids->n; i++) {
		unsigned v = (unsigned)ids->p[i], k = 0;

		if (p + sizeof digits > out + sizeof out) {
			fwrite(out, 1, (size_t)(p - out), stdout);
			p = out;
		}
		if (i)
			*p++ = ' ';
		do
			digits[k++] = (char)('0' + v % 10);
		while (v /= 10);
		while (k)
			*p++ = digits[--k];
	}
	*p++ = '\n';
	fwrite(out, 1, (size_t)(p - out), stdout);
}

void
token_encode(struct tokenizer *t, const char *s, size_t n, unsigned how, bool pieces)
{
	struct ids ids = { 0 };
	struct err e;

	if (tokenizer_encode(t, s, n, how, &ids, &e) < 0)
		die("%s", e.msg);
	if (pieces)
		print_pieces(t, &ids);
	else
		print_ids(&ids);
	ids_release(&ids);
}

void
token_decode(const struct tokenizer *t, const char *s, size_t n, unsigned how, bool line)
{
	struct detokenizer *d;
	struct buf out = { 0 };
	struct err e;

	if (!(d = detokenizer_new(t, how | DETOKEN_BEGIN, &e)))
		die("%s", e.msg);
	for (const char *p = s, *end = s + n; p < end; ) {
		char *after;
		long id;

		if (*p == ' ' || *p == ',' || *p == '\n' || *p == '\t' || *p == '\r') {
			p++;
			continue;
		}
		id = strtol(p, &after, 10);
		if (after == p || id < 0 || id > INT32_MAX)
			die("byte %td is no id", p - s);
		if (detokenizer_put(d, (int32_t)id, &out, &e) < 0)
			die("%s", e.msg);
		p = after;
	}
	if (detokenizer_end(d, &out, &e) < 0)
		die("%s", e.msg);
	fwrite(out.p, 1, out.len, stdout);
	if (line)
		putchar('\n');
	detokenizer_free(d);
	buf_release(&out);
}
