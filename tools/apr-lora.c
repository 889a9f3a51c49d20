/* SPDX-License-Identifier: MIT */
/* apr-lora -- a PEFT adapter into the weights that pass. */
#include <stdlib.h>
#include <unistd.h>

#include <apr/lora.h>
#include <apr/values.h>

#include "stage.h"
#include "tool.h"

const char usage_text[] =
    "usage: apr-lora [-qv] [--zstd[=LEVEL]] adapter <stream >stream\n"
    "      --zstd[=LEVEL]  compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n"
    "adapter is a folder with adapter_config.json and adapter_model.safetensors\n";

enum { OPT_ZSTD = OPT_OWN };

static const struct option options[] = {
	{ "zstd", optional_argument, NULL, OPT_ZSTD },
	TOOL_OPTIONS
};

/* What changes and is packed becomes F32; the tensors as they came. */
static struct tensor *
retype(struct manifest *m, const struct lora *l)
{
	struct tensor *was = calloc(m->ntensor + 1, sizeof *was);
	struct err e;

	if (!was)
		die("out of memory");
	for (size_t i = 0; i < m->ntensor; i++) {
		struct tensor *t = &m->tensor[i];

		was[i] = *t;
		if (!lora_changes(l, i))
			continue;
		if (!values_of(t))
			die("%s: %s cannot be decoded", t->name, t->type->name);
		if (values_retype(t, &e) < 0)
			die("%s", e.msg);
	}
	return was;
}

static void
change(struct lora *l, struct values *v, struct stream_out *out, const struct tensor *was,
    const struct tensor *t, size_t i)
{
	uint64_t rows = tensor_rows(t);
	size_t cols = t->ndim ? (size_t)t->dim[t->ndim - 1] : 1, cap;
	unsigned char *y = NULL;
	float *x = NULL;
	struct err e;

	if (cols > SIZE_MAX / sizeof *x || !(x = malloc(cols * sizeof *x + 1)) ||
	    !(y = malloc((cap = cols * t->type->bytes) + 1)))
		die("%s: out of memory for a row of it", t->name);
	if (stream_member(out, MEMBER_TENSOR, t->name, t->bytes, &e) < 0 ||
	    values_begin(v, was, false, &e) < 0)
		die("%s", e.msg);
	for (uint64_t row = 0; row < rows; row++) {
		if (values_read(v, x, cols, &e) < 0)
			die("%s", e.msg);
		lora_row(l, i, row, x, cols);
		type_encoder(t->type, EFFORT_REFERENCE)(y, x, cols, NULL);
		if (stream_write(out, y, cap, &e) < 0)
			die("%s", e.msg);
	}
	note("%s: merged", t->name);
	free(x);
	free(y);
}

int
main(int argc, char **argv)
{
	struct stream_out *out;
	struct stream_in *in;
	struct member mem;
	struct manifest *m;
	struct tensor *was;
	struct values *v;
	struct lora *l;
	struct err e;
	uint64_t total;
	int zstd = 0, c, r;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default: tool_option(c);
		}
	if (argc - optind != 1)
		usage(optind == argc ? "no adapter" : "more than one adapter");
	tool_no_terminal(STDOUT_FILENO);
	if (!(l = lora_open(argv[optind], &e)))
		die("%s", e.msg);
	in = stage_open();
	m = stream_manifest(in);
	total = stage_total(m);
	if (lora_bind(l, m, &e) < 0 || !(v = values_new(in, tool_progress, &e)))
		die("%s", e.msg);
	was = retype(m, l);
	stage_history(m, "apr-lora", NULL);
	if (!(out = stream_create(STDOUT_FILENO, m, zstd, &e)))
		die("%s", e.msg);
	tool_progress_begin(m->plan ? 0 : total);
	while ((r = stream_next(in, &mem, &e)) > 0) {
		if (mem.kind == MEMBER_TENSOR && lora_changes(l, mem.index))
			change(l, v, out, &was[mem.index], &m->tensor[mem.index], mem.index);
		else if (stream_copy(out, in, &mem, &e) < 0)
			die("%s", e.msg);
		else if (mem.kind == MEMBER_TENSOR)
			tool_progress(mem.bytes);
	}
	if (r < 0 || stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	note("%zu tensors were changed", lora_count(l));
	values_free(v);
	lora_free(l);
	free(was);
	stream_close(in);
	return STATUS_OK;
}
