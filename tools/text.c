/* SPDX-License-Identifier: MIT */
/* text.c -- files that are read whole. */
#include "text.h"
#include "tool.h"

void
text_rest(FILE *f, const char *name, struct buf *b)
{
	char chunk[65536];
	struct err e;
	size_t n;

	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_put(b, chunk, n);
	if (ferror(f)) {
		err_sys(&e, "%s", name);
		die("%s", e.msg);
	}
	if (buf_check(b, &e) < 0)
		die("%s", e.msg);
}

void
text_read(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "re");
	struct err e;

	if (!f) {
		err_sys(&e, "%s", path);
		die("%s", e.msg);
	}
	text_rest(f, path, b);
	fclose(f);
}
