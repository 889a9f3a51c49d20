/* SPDX-License-Identifier: MIT */
/* normal.c -- UTF-8 that is none, and Unicode's normal forms. */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "match.h"

size_t
utf8_len(const unsigned char *p, size_t n)
{
	size_t k = *p < 0x80 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;

	return n == 0 ? 0 : k < n ? k : n;
}

/* Bytes of the well-formed character at p, or minus those of the longest
 * beginning of one (at least 1), as Python and the browsers replace it. */
static int
character(const unsigned char *p, size_t n)
{
	unsigned low = 0x80, high = 0xbf, k;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return -1;
	k = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (p[0] == 0xe0)
		low = 0xa0;
	if (p[0] == 0xed)
		high = 0x9f;
	if (p[0] == 0xf0)
		low = 0x90;
	if (p[0] == 0xf4)
		high = 0x8f;
	for (unsigned i = 1; i < k; i++, low = 0x80, high = 0xbf)
		if (i >= n || p[i] < low || p[i] > high)
			return -(int)i;
	return (int)k;
}

int
normal_utf8(const char *s, size_t n, struct buf *out, struct err *e)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t from = 0;

	for (size_t i = 0; i < n; ) {
		int k = character(p + i, n - i);

		if (k < 0) {
			buf_put(out, s + from, i - from);
			buf_str(out, "\xef\xbf\xbd");
			k = -k;
			from = i + (size_t)k;
		}
		i += (size_t)k;
	}
	if (from < n)
		buf_put(out, s + from, n - from);
	return buf_check(out, e);
}

static int
whole_form(const struct vocab *v, const char *s, size_t n, struct buf *out, struct err *e)
{
	utf8proc_option_t o = UTF8PROC_STABLE;
	utf8proc_uint8_t *p;
	utf8proc_ssize_t k;

	o |= v->norm & (VOCAB_NFD | VOCAB_NFKD) ? UTF8PROC_DECOMPOSE : UTF8PROC_COMPOSE;
	if (v->norm & (VOCAB_NFKC | VOCAB_NFKD))
		o |= UTF8PROC_COMPAT;
	if (v->norm & VOCAB_STRIP_ACCENTS)
		o |= UTF8PROC_STRIPMARK | UTF8PROC_DECOMPOSE;
	k = utf8proc_map((const utf8proc_uint8_t *)s, (utf8proc_ssize_t)n, &p, o);
	if (k < 0)
		return err_set(e, "normalizer: %s", utf8proc_errmsg(k));
	if (v->norm & VOCAB_LOWERCASE) {
		for (utf8proc_ssize_t i = 0, step; i < k; i += step) {
			utf8proc_uint8_t low[4];
			utf8proc_int32_t c;

			if ((step = utf8proc_iterate(p + i, k - i, &c)) <= 0)
				step = 1;
			else
				buf_put(out, low, (size_t)utf8proc_encode_char(utf8proc_tolower(c), low));
		}
	} else {
		buf_put(out, p, (size_t)k);
	}
	free(p);
	return buf_check(out, e);
}

/* Two ASCII characters never become one, so only what is not ASCII is looked
 * at, each run of it with the character before. */
int
normal_form(const struct vocab *v, const char *s, size_t n, struct buf *out, struct err *e)
{
	size_t done = 0, i = 0;

	if (v->norm & VOCAB_LOWERCASE)
		return whole_form(v, s, n, out, e);
	while (v->norm && i < n) {
		size_t from;
		bool fixed = v->norm == VOCAB_NFC;

		if ((unsigned char)s[i] < 0x80) {
			i++;
			continue;
		}
		from = i > done ? i - 1 : i;
		for (; i < n && (unsigned char)s[i] >= 0x80; i++)
			/* From U+0300 on (CC 80) marks join what is before. */
			fixed = fixed && (unsigned char)s[i] < 0xcc;
		if (fixed)
			continue;
		buf_put(out, s + done, from - done);
		if (whole_form(v, s + from, i - from, out, e) < 0)
			return -1;
		done = i;
	}
	buf_put(out, s + done, n - done);
	return buf_check(out, e);
}
