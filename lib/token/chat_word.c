/* SPDX-License-Identifier: MIT */
/* chat_word.c -- what chat templates are made of: words, marks, names, texts. */
#include <string.h>

#include "chat.h"

void
chat_blanks(struct chat *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
		c->p++;
}

static bool
letter(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool
word_char(char ch)
{
	return letter(ch) || (ch >= '0' && ch <= '9');
}

bool
chat_word(struct chat *c, const char *word)
{
	size_t n = strlen(word);

	chat_blanks(c);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) ||
	    (c->p + n < c->end && word_char(c->p[n])))
		return false;
	c->p += n;
	return true;
}

bool
chat_mark(struct chat *c, const char *mark)
{
	size_t n = strlen(mark);

	chat_blanks(c);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, mark, n))
		return false;
	/* The end of a tag is no minus, no percent, no brace. */
	if (n == 1 && (*mark == '-' || *mark == '%') && c->p + 1 < c->end &&
	    (c->p[1] == '}' || (c->p[1] == '%' && c->p + 2 < c->end && c->p[2] == '}')))
		return false;
	c->p += n;
	return true;
}

bool
chat_name(struct chat *c, const char **s, size_t *n)
{
	chat_blanks(c);
	*s = c->p;
	if (c->p == c->end || !letter(*c->p))
		return false;
	while (c->p < c->end && word_char(*c->p))
		c->p++;
	*n = (size_t)(c->p - *s);
	return true;
}

bool
chat_is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && !memcmp(s, word, n);
}

int
chat_text(struct chat *c, char quote, struct value *v)
{
	struct buf b = { 0 };

	for (;; c->p++) {
		if (c->p == c->end) {
			buf_release(&b);
			return chat_bad(c, "a string does not end");
		}
		if (*c->p == quote)
			break;
		if (*c->p == '\\' && c->p + 1 < c->end) {
			static const char from[] = "ntr\\'\"", to[] = "\n\t\r\\'\"";
			const char *at = strchr(from, *++c->p);

			if (!at || !*at)
				buf_put(&b, "\\", 1);
			buf_put(&b, at && *at ? &to[at - from] : c->p, 1);
		} else {
			buf_put(&b, c->p, 1);
		}
	}
	c->p++;
	*v = chat_take(c, &b);
	return 0;
}
