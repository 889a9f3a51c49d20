/* SPDX-License-Identifier: MIT */
/* apr-pack -- a stream into a file, files, or a directory. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/pack.h>

#include "order.h"
#include "pack_plan.h"
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

/* What was done to the model, for those who ask for it in the output. */
static void
keep_history(struct manifest *m)
{
	struct buf b = { 0 }, text = { 0 };
	struct err e;

	buf_str(&b, "[");
	for (size_t i = 0; i < m->nhistory; i++)
		buf_printf(&b, "%s%s", i ? "," : "", m->history[i]);
	buf_str(&b, "]");
	buf_json(&text, b.p, b.len);
	buf_put(&text, "", 1);
	if (buf_check(&b, &e) < 0 || buf_check(&text, &e) < 0 ||
	    manifest_set(m, HISTORY_KEY, "string", (char *)text.p, &e) < 0)
		die("%s", e.msg);
	buf_release(&text);
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
	if (!m->plan)
		tool_progress_end();
	else if (json)
		plan_json(p, &t);
	else
		plan_table(p, &t);
	pack_free(p);
	stream_close(in);
	return STATUS_OK;
}
