/* SPDX-License-Identifier: MIT */
/* apr-pack -- a stream into a file, files, or a directory. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/pack.h>

#include "order.h"
#include "stage.h"
#include "target.h"

const char usage_text[] =
    "usage: apr-pack [-fqv] [options] out\n"
    "  -f, --force             replace what is there\n"
    "      --format FORMAT     apr, gguf, safetensors or lattice; else the name decides\n"
    "      --raw               write foreign names as they are\n"
    "      --apr-codes=legacy  codes 8 and 9 for apr_q4 and apr_q8\n"
    "      --provenance        write the stream's history into the output\n"
    "      --shard-size N      bytes of a directory's files, at most (K M G)\n"
    "      --split-like-source the parts of a split GGUF again\n"
    "      --order ORDER       a GGUF's: quantize, as llama-quantize has it, or\n"
    "                          convert, as llama.cpp's converter\n"
    "      --json              the plan as JSON\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n"
    "out is a file, a directory with a / behind it, or - for standard output\n";

enum { OPT_FORMAT = OPT_OWN, OPT_RAW, OPT_CODES, OPT_PROVENANCE, OPT_SHARD,
	OPT_SPLIT, OPT_ORDER, OPT_JSON };

static const struct option options[] = {
	{ "force",             no_argument,       NULL, 'f' },
	{ "format",            required_argument, NULL, OPT_FORMAT },
	{ "raw",               no_argument,       NULL, OPT_RAW },
	{ "apr-codes",         required_argument, NULL, OPT_CODES },
	{ "provenance",        no_argument,       NULL, OPT_PROVENANCE },
	{ "shard-size",        required_argument, NULL, OPT_SHARD },
	{ "split-like-source", no_argument,       NULL, OPT_SPLIT },
	{ "order",             required_argument, NULL, OPT_ORDER },
	{ "json",              no_argument,       NULL, OPT_JSON },
	TOOL_OPTIONS
};

static bool
is_dir(const char *path)
{
	struct stat st;
	size_t n = strlen(path);

	return n > 0 && (path[n - 1] == '/' ||
	    (stat(path, &st) == 0 && S_ISDIR(st.st_mode)));
}

/* What the name of the output, --format and the source say together. */
static void
decide(struct pack_target *t, char *path, const char *format, const struct manifest *m)
{
	if (format && !(t->format = format_by_name(format)))
		usage("--format: %s is none of apr, gguf, safetensors, lattice", format);
	if (t->format && !t->format->layout)
		usage("--format: %s is only read", format);
	if (!strcmp(path, "-")) {
		t->path = NULL;
		t->fd = STDOUT_FILENO;
		if (!t->format && m->source)
			t->format = format_by_name(m->source);
		if (!t->format || !t->format->layout)
			usage("-: --format must say what to write");
		if (isatty(STDOUT_FILENO) && !m->plan)
			usage("standard output is a terminal, and a model is not for reading");
		return;
	}
	t->path = path;
	if (is_dir(path)) {
		size_t n = strlen(path);

		t->dir = true;
		while (n > 1 && path[n - 1] == '/')
			path[--n] = '\0';
		if (t->format && t->format != &format_safetensors && t->format != &format_lattice)
			usage("%s: a directory holds safetensors, or lattice's files", path);
		/* No other directory can have its type. */
		for (size_t i = 0; !t->format && i < m->ntensor; i++)
			if (m->tensor[i].type == &type_lattice_q4)
				t->format = &format_lattice;
		if (!t->format)
			t->format = &format_safetensors;
		return;
	}
	if (!t->format && (t->format = format_by_suffix(path)) && !t->format->layout)
		usage("%s: %s is only read", path, t->format->name);
	if (!t->format)
		usage("%s: neither .apr, .gguf nor .safetensors: --format must say", path);
}

static void
print_plan(struct pack *p, const struct pack_target *t, const struct manifest *m, bool json)
{
	uint64_t total = 0, size, elements = 0, bytes = 0;
	const char *name;
	size_t n = pack_files(p, SIZE_MAX, &name, &size);
	char shape[192];

	for (size_t i = 0; i < n; i++) {
		pack_files(p, i, &name, &size);
		total += size;
	}
	for (size_t i = 0; i < m->ntensor; i++) {
		elements += m->tensor[i].tied_to ? 0 : m->tensor[i].n;
		bytes += m->tensor[i].bytes;
	}
	if (json) {
		struct buf b = { 0 };

		buf_printf(&b, "{\"format\":\"%s\",\"size\":%" PRIu64 ",\"tensor_bytes\":%"
		    PRIu64 ",\"files\":[", t->format->name, total, bytes);
		for (size_t i = 0; i < n; i++) {
			pack_files(p, i, &name, &size);
			buf_str(&b, i ? ",{\"name\":" : "{\"name\":");
			name = name ? name : t->path ? t->path : "-";
			buf_json(&b, name, strlen(name));
			buf_printf(&b, ",\"size\":%" PRIu64 "}", size);
		}
		buf_str(&b, "],\"tensors\":[");
		for (size_t i = 0; i < m->ntensor; i++) {
			buf_str(&b, i ? ",\n" : "\n");
			tensor_write(&m->tensor[i], &b);
			fwrite(b.p, 1, b.len, stdout);
			b.len = 0;
		}
		buf_str(&b, "\n]}\n");
		fwrite(b.p, 1, b.len, stdout);
		buf_release(&b);
	} else {
		struct err tame;

		for (size_t i = 0; i < m->ntensor; i++) {
			const struct tensor *q = &m->tensor[i];

			err_set(&tame, "%s", q->name);
			printf("%-8s %14" PRIu64 "  %-20s %s\n", q->type->name, q->bytes,
			    tensor_shape(q, shape, sizeof shape), tame.msg);
		}
		printf("%zu tensors, %.2f bits per weight, %" PRIu64 " bytes as %s\n",
		    m->ntensor, elements ? 8.0 * (double)bytes / (double)elements : 0,
		    total, t->format->name);
	}
	tool_flush();
}

/* What was done to the model, for those who ask for it in the output. */
static void
keep_history(struct manifest *m)
{
	struct buf b = { 0 };
	struct err e;

	buf_str(&b, "[");
	for (size_t i = 0; i < m->nhistory; i++)
		buf_printf(&b, "%s%s", i ? "," : "", m->history[i]);
	buf_str(&b, "]");
	{
		struct buf q = { 0 };

		buf_json(&q, b.p, b.len);
		buf_put(&q, "", 1);
		if (buf_check(&q, &e) < 0 ||
		    manifest_set(m, HISTORY_KEY, "string", (char *)q.p, &e) < 0)
			die("%s", e.msg);
		buf_release(&q);
	}
	buf_release(&b);
}

int
main(int argc, char **argv)
{
	struct pack_target t = { .temp = tool_temp, .progress = tool_progress };
	const char *format = NULL;
	bool json = false, provenance = false;
	struct stream_in *in;
	struct manifest *m;
	struct pack *p;
	struct err e;
	int c;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "f" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'f': t.force = true; break;
		case OPT_FORMAT: format = optarg; break;
		case OPT_RAW: t.opts.raw = true; break;
		case OPT_CODES:
			if (strcmp(optarg, "legacy") && strcmp(optarg, "current"))
				usage("--apr-codes: %s is neither legacy nor current", optarg);
			t.opts.legacy = !strcmp(optarg, "legacy");
			break;
		case OPT_PROVENANCE: provenance = true; break;
		case OPT_SHARD: t.shard_size = tool_number(optarg, "--shard-size", 1, INT64_MAX); break;
		case OPT_SPLIT: t.split = true; break;
		case OPT_ORDER: t.opts.order = (int)order_option_gguf(optarg); break;
		case OPT_JSON: json = true; break;
		default: tool_option(c);
		}
	if (argc - optind != 1)
		usage(optind == argc ? "no output" : "more than one output");
	tool_no_terminal(STDIN_FILENO);
	in = stage_open();
	m = stream_manifest(in);
	decide(&t, argv[optind], format, m);
	if (t.shard_size && !t.dir)
		usage("--shard-size: the output is no directory");
	if (t.split && (t.format != &format_gguf || !t.path))
		usage("--split-like-source: the output is no .gguf file");
	if (provenance)
		keep_history(m);
	if (!(p = pack_open(&t, m, &e)))
		die("%s", e.msg);
	tool_progress_begin(m->plan ? 0 : stage_total(m));
	target_run(p, in);
	if (m->plan) {
		print_plan(p, &t, pack_manifest(p), json);
	} else {
		tool_progress_end();
	}
	pack_free(p);
	stream_close(in);
	return STATUS_OK;
}
