/* SPDX-License-Identifier: MIT */
/* cut.c -- text into the pieces that are merged each by itself. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "match.h"

/* What ByteLevel cuts by. */
static const char bytes_regex[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

struct cutter {
	size_t			 n;
	pcre2_code		*code[VOCAB_STEPS];
	pcre2_match_data	*data[VOCAB_STEPS];
	bool			 jit[VOCAB_STEPS];
	pcre2_match_context	*context;
	pcre2_jit_stack		*stack;
};

/*
 * Behind ByteLevel, text is written in its alphabet of bytes, where some
 * bytes that are half of a character look like digits.
 */
static const char *
regex(enum vocab_cut cut, const char *given, bool bytes)
{
	switch (cut) {
	case VOCAB_CUT_DIGIT:
		return bytes ? "[0-9\\xb2\\xb3\\xb9\\xbc-\\xbe]" : "\\p{N}";
	case VOCAB_CUT_DIGITS:
		return bytes ? "[0-9\\xb2\\xb3\\xb9\\xbc-\\xbe]+" : "\\p{N}+";
	case VOCAB_CUT_PUNCTUATION: return "[\\p{P}\\$\\+<=>\\^~\\|`]+";
	case VOCAB_CUT_BYTES: return bytes_regex;
	default: return given;
	}
}

void
cutter_free(struct cutter *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++) {
		pcre2_match_data_free(c->data[i]);
		pcre2_code_free(c->code[i]);
	}
	pcre2_match_context_free(c->context);
	pcre2_jit_stack_free(c->stack);
	free(c);
}

struct cutter *
cutter_new(const struct vocab_pre *p, struct err *e)
{
	struct cutter *c = calloc(1, sizeof *c);
	bool bytes = false;

	if (!c || !(c->context = pcre2_match_context_create(NULL)))
		goto memory;
	if ((c->stack = pcre2_jit_stack_create(32768, 1 << 20, NULL)))
		pcre2_jit_stack_assign(c->context, NULL, c->stack);
	for (; c->n < VOCAB_STEPS && p->step[c->n].cut != VOCAB_CUT_END; c->n++) {
		const char *r = regex(p->step[c->n].cut, p->step[c->n].regex, bytes);
		PCRE2_SIZE at;
		int code;

		c->code[c->n] = pcre2_compile((PCRE2_SPTR)r, PCRE2_ZERO_TERMINATED,
		    bytes ? 0 : PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
		if (!c->code[c->n]) {
			PCRE2_UCHAR why[128];

			pcre2_get_error_message(code, why, sizeof why);
			err_set(e, "pre-tokenizer: %s at character %zu of %s", (char *)why, at, r);
			cutter_free(c);
			return NULL;
		}
		bytes |= p->step[c->n].cut == VOCAB_CUT_BYTES;
		c->jit[c->n] = pcre2_jit_compile(c->code[c->n], PCRE2_JIT_COMPLETE) == 0;
		c->data[c->n] = pcre2_match_data_create(1, NULL);
		if (!c->data[c->n]) {
			pcre2_code_free(c->code[c->n]);
			goto memory;
		}
	}
	return c;
memory:
	cutter_free(c);
	err_set(e, "out of memory");
	return NULL;
}

static int
cut(struct cutter *c, size_t step, const char *s, size_t n,
    int (*piece)(void *, const char *, size_t, struct err *), void *ctx, struct err *e)
{
	size_t at = 0, done = 0;

	if (n == 0)
		return 0;
	if (step == c->n)
		return piece(ctx, s, n, e);
	while (at < n) {
		PCRE2_SIZE *v;
		int r = c->jit[step] ?
		    pcre2_jit_match(c->code[step], (PCRE2_SPTR)s, n, at, 0, c->data[step], c->context) :
		    pcre2_match(c->code[step], (PCRE2_SPTR)s, n, at, PCRE2_NO_UTF_CHECK,
		    c->data[step], c->context);

		/* A match too deep for the compiled code is done without it. */
		if (r == PCRE2_ERROR_JIT_STACKLIMIT)
			r = pcre2_match(c->code[step], (PCRE2_SPTR)s, n, at,
			    PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, c->data[step], NULL);
		if (r == PCRE2_ERROR_NOMATCH)
			break;
		if (r < 0)
			return err_set(e, "pre-tokenizer: error %d of PCRE2 at byte %zu", r, at);
		v = pcre2_get_ovector_pointer(c->data[step]);
		if (v[1] == v[0]) {
			at = v[1] + utf8_len((const unsigned char *)s + v[1], n - v[1]);
			continue;
		}
		if (v[0] > done && cut(c, step + 1, s + done, v[0] - done, piece, ctx, e) < 0)
			return -1;
		if (cut(c, step + 1, s + v[0], v[1] - v[0], piece, ctx, e) < 0)
			return -1;
		at = done = v[1];
	}
	return done < n ? cut(c, step + 1, s + done, n - done, piece, ctx, e) : 0;
}

int
cutter_run(struct cutter *c, const char *s, size_t n,
    int (*piece)(void *, const char *, size_t, struct err *), void *ctx, struct err *e)
{
	return cut(c, 0, s, n, piece, ctx, e);
}
