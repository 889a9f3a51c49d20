/* SPDX-License-Identifier: MIT */
/* err.c -- messages fit to print. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <apr/err.h>

/* Names come from files: nothing in them may reach a terminal as a command. */
static void
tame(char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)s[0], d = (unsigned char)s[1];

		if (c < 0x20 || c == 0x7f)
			s[0] = '?';
		else if (c == 0xc2 && d >= 0x80 && d < 0xa0)
			s[0] = s[1] = '?';	/* C1, escapes of 8-bit terminals */
	}
}

int
err_set(struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	tame(e->msg);
	return -1;
}

int
err_sys(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %s", strerror(saved));
	tame(e->msg);
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char old[sizeof e->msg];
	va_list ap;
	size_t n;

	memcpy(old, e->msg, sizeof old);
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof e->msg, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	snprintf(e->msg + n, sizeof e->msg - n, ": %.*s",
	    (int)(sizeof old - n - 3), old);
	tame(e->msg);
	return -1;
}
