/* SPDX-License-Identifier: MIT */
/* decode.c -- ids to text, a character at a time. */
#include <stdlib.h>
#include <string.h>

#include "match.h"
#include "token.h"

struct detokenizer {
	const struct tokenizer	*t;
	unsigned		 flags;
	bool			 begun;
	unsigned char		 half[4];	/* of a character */
	size_t			 nhalf;
};

struct detokenizer *
detokenizer_new(const struct tokenizer *t, unsigned flags, struct err *e)
{
	struct detokenizer *d = calloc(1, sizeof *d);

	if (!d) {
		err_set(e, "out of memory");
		return NULL;
	}
	d->t = t;
	d->flags = flags;
	d->begun = !(flags & DETOKEN_BEGIN);
	return d;
}

void
detokenizer_free(struct detokenizer *d)
{
	free(d);
}

/* Whole characters to out; a beginning at the end of p waits. */
static int
emit(struct detokenizer *d, const unsigned char *p, size_t n, struct buf *out, struct err *e)
{
	unsigned char tail[8];
	size_t keep = 0;
	struct buf all = { 0 };
	int r;

	buf_put(&all, d->half, d->nhalf);
	buf_put(&all, p, n);
	if (buf_check(&all, e) < 0) {
		buf_release(&all);
		return -1;
	}
	/* Up to three bytes may be a character's beginning. */
	for (size_t k = 1; k <= 3 && k <= all.len; k++) {
		unsigned char c = all.p[all.len - k];

		if (c < 0x80)
			break;
		if (c >= 0xc2) {
			size_t want = c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 1;
			struct buf test = { 0 };

			/* Only if no replacement would come of it but for its end. */
			if (want > k) {
				memcpy(tail, all.p + all.len - k, k);
				if (normal_utf8((char *)tail, k, &test, e) == 0 && test.len == 3)
					keep = k;
				buf_release(&test);
			}
			break;
		}
	}
	r = normal_utf8((char *)all.p, all.len - keep, out, e);
	if (keep)
		memcpy(d->half, all.p + all.len - keep, keep);
	d->nhalf = keep;
	buf_release(&all);
	return r;
}

int
detokenizer_put(struct detokenizer *d, int32_t id, struct buf *out, struct err *e)
{
	const struct tokenizer *t = d->t;
	const struct vocab *v = t->v;
	const struct vocab_token *k;
	const unsigned char *p;
	struct buf text = { 0 };
	size_t n;
	int r, b;

	if (!(id >= 0 && (size_t)id < v->ntoken) || v->token[id].type == 0)
		return 0;	/* padding says nothing */
	k = &v->token[id];
	if (!(d->flags & DETOKEN_SPECIAL) && (k->type == VOCAB_CONTROL || (k->flags & VOCAB_SPECIAL) ||
	    k->type == VOCAB_UNKNOWN))
		return 0;
	p = t->out + t->out_at[id];
	n = t->out_at[id + 1] - t->out_at[id];
	if (v->kind == VOCAB_BPE || (k->flags & VOCAB_ADDED)) {
		d->begun = true;
		return emit(d, p, n, out, e);
	}
	if ((k->type == VOCAB_BYTE || v->byte_fallback) && (b = vocab_byte((const char *)p, n)) >= 0) {
		unsigned char c = (unsigned char)b;

		d->begun = true;
		return emit(d, &c, 1, out, e);
	}
	for (size_t i = 0, from = 0; i <= n; )
		if (i == n) {
			buf_put(&text, p + from, i - from);
			break;
		} else if (n - i >= 3 && !memcmp(p + i, LOW_LINE, 3)) {
			buf_put(&text, p + from, i - from);
			if (d->begun || i > 0 || v->space_prefix == 0)
				buf_str(&text, " ");
			from = i += 3;
		} else {
			i++;
		}
	d->begun = true;
	r = buf_check(&text, e) < 0 ? -1 : emit(d, text.p, text.len, out, e);
	buf_release(&text);
	return r;
}

int
detokenizer_end(struct detokenizer *d, struct buf *out, struct err *e)
{
	int r = normal_utf8((char *)d->half, d->nhalf, out, e);

	d->nhalf = 0;
	return r;
}
