/* SPDX-License-Identifier: MIT */
/* target.c -- what the tools share that lay files out. */
#include <string.h>

#include "target.h"
#include "tool.h"

void
target_run(struct pack *p, struct stream_in *in)
{
	struct err e;

	if (pack_run(p, in, &e) < 0)
		die("%s", e.msg);
	tool_temp_done();
	for (const char *s = pack_notes(p); *s; s += strcspn(s, "\n") + 1)
		warn("%.*s", (int)strcspn(s, "\n"), s);
}
