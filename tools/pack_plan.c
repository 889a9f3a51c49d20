/* SPDX-License-Identifier: MIT */
/* pack_plan.c -- what apr-pack would write. */
#include <inttypes.h>
#include <stdio.h>

#include "pack_plan.h"
#include "put.h"
#include "table.h"
#include "tool.h"

static uint64_t
size_of(const struct pack *p)
{
	uint64_t total = 0, size;
	const char *name;
	size_t n = pack_files(p, SIZE_MAX, &name, &size);

	for (size_t i = 0; i < n; i++) {
		pack_files(p, i, &name, &size);
		total += size;
	}
	return total;
}

void
plan_table(const struct pack *p, const struct pack_target *t)
{
	const struct manifest *m = pack_manifest(p);

	for (size_t i = 0; i < m->ntensor; i++) {
		table_tensor(&m->tensor[i]);
		printf("\n");
	}
	printf("%zu tensors, %.2f bits per weight, %" PRIu64 " bytes as %s\n", m->ntensor,
	    table_sums(m).bpw, size_of(p), t->format->name);
	tool_flush();
}

static void
flush(struct buf *b)
{
	if (b->bad)
		die("out of memory");
	fwrite(b->p, 1, b->len, stdout);
	b->len = 0;
}

void
plan_json(const struct pack *p, const struct pack_target *t)
{
	const struct manifest *m = pack_manifest(p);
	const char *name;
	struct buf b = { 0 };
	uint64_t size;
	size_t n = pack_files(p, SIZE_MAX, &name, &size);

	buf_str(&b, "{");
	put_text(&b, "format", t->format->name);
	put_whole(&b, "size", size_of(p));
	put_whole(&b, "tensor_bytes", table_sums(m).bytes);
	put_key(&b, "files");
	buf_str(&b, "[");
	for (size_t i = 0; i < n; i++) {
		pack_files(p, i, &name, &size);
		buf_str(&b, i ? ",{" : "{");
		put_text(&b, "name", name ? name : t->path ? t->path : "-");
		put_whole(&b, "size", size);
		buf_str(&b, "}");
	}
	buf_str(&b, "],\"tensors\":[");
	for (size_t i = 0; i < m->ntensor; i++) {
		buf_str(&b, i ? ",\n" : "\n");
		tensor_write(&m->tensor[i], &b);
		flush(&b);
	}
	buf_str(&b, "\n]}\n");
	flush(&b);
	buf_release(&b);
	tool_flush();
}
