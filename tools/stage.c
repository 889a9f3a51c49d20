/* SPDX-License-Identifier: MIT */
/* stage.c -- what the stages of a pipe do alike. */
#include <unistd.h>

#include "stage.h"

struct stream_in *
stage_open(void)
{
	struct stream_in *s;
	struct in *in;
	struct err e;

	if (!(in = in_open(STDIN_FILENO, &e)) || !(s = stream_open(in, &e)))
		die("%s", e.msg);
	return s;
}

uint64_t
stage_total(const struct manifest *m)
{
	uint64_t total = 0;

	for (size_t i = 0; i < m->ntensor; i++)
		total += m->tensor[i].bytes;
	return total;
}

void
stage_history(struct manifest *m, const char *tool, struct buf *options)
{
	struct buf none = { 0 }, b = { 0 };
	struct err e;

	if (!options)
		options = &none;
	buf_printf(&b, "{\"tool\":\"%s\",\"version\":\"%s\",\"options\":{", tool, TOOL_VERSION);
	buf_put(&b, options->p, options->len);
	buf_put(&b, "}}", sizeof "}}");
	if (buf_check(options, &e) < 0 || buf_check(&b, &e) < 0 ||
	    manifest_add_history(m, (char *)b.p, &e) < 0)
		die("%s", e.msg);
	buf_release(&b);
	buf_release(options);
}
