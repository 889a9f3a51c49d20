/* SPDX-License-Identifier: MIT */
/* apr-split -- a stream into many files, each of them a model's part. */
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <apr/pack.h>

#include "order.h"
#include "stage.h"
#include "target.h"

const char usage_text[] =
    "usage: apr-split [-fqv] [--format FORMAT] how prefix <stream\n"
    "how is one of\n"
    "      --max-size N      bytes of a file's tensors, at most (K M G)\n"
    "      --max-tensors N   tensors of a file, at most\n"
    "      --layers          a file for each layer\n"
    "      --each            a file for each tensor, named after it\n"
    "and\n"
    "  -f, --force           replace what is there\n"
    "      --format FORMAT   apr, gguf, safetensors or tar (streams); else the\n"
    "                        source's\n"
    "      --raw             write foreign names as they are\n"
    "      --order ORDER     a GGUF's: quantize or convert\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_SIZE = OPT_OWN, OPT_COUNT, OPT_LAYERS, OPT_EACH, OPT_FORMAT, OPT_RAW, OPT_ORDER };

static const struct option options[] = {
	{ "max-size",    required_argument, NULL, OPT_SIZE },
	{ "max-tensors", required_argument, NULL, OPT_COUNT },
	{ "layers",      no_argument,       NULL, OPT_LAYERS },
	{ "each",        no_argument,       NULL, OPT_EACH },
	{ "force",       no_argument,       NULL, 'f' },
	{ "format",      required_argument, NULL, OPT_FORMAT },
	{ "raw",         no_argument,       NULL, OPT_RAW },
	{ "order",       required_argument, NULL, OPT_ORDER },
	TOOL_OPTIONS
};

static void
cut(struct pack_target *t, enum pack_cut how, uint64_t most)
{
	if (t->cut)
		usage("more than one of --max-size, --max-tensors, --layers, --each");
	t->cut = how;
	t->most = most;
}

/* False: streams. */
static bool
decide(struct pack_target *t, const char *format, const struct manifest *m)
{
	const char *source = m->source ? m->source : "";

	if (format && !strcmp(format, "tar"))
		return false;
	if (!format && !strcmp(source, "hf"))
		format = "safetensors";
	if (format && !(t->format = format_by_name(format)))
		usage("--format: %s is none of apr, gguf, safetensors, tar", format);
	if (!format)
		t->format = format_by_name(source);
	if (!t->format || !t->format->layout)
		usage("%s is only read: --format must say what to write",
		    t->format ? t->format->name : "the source");
	return true;
}

/* Tensors may come in any order, so many parts may be open at once. */
static void
more_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void
split_files(const struct pack_target *t, struct stream_in *in)
{
	struct pack *p;
	struct err e;

	if (!(p = pack_open(t, stream_manifest(in), &e)))
		die("%s", e.msg);
	target_run(p, in);
	pack_free(p);
}

int
main(int argc, char **argv)
{
	struct pack_target t = { .temp = tool_temp, .progress = tool_progress };
	const char *format = NULL;
	struct stream_in *in;
	struct manifest *m;
	struct err e;
	int c;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "f" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'f': t.force = true; break;
		case OPT_SIZE: cut(&t, CUT_SIZE, tool_number(optarg, "--max-size", 1, INT64_MAX)); break;
		case OPT_COUNT: cut(&t, CUT_COUNT, tool_number(optarg, "--max-tensors", 1, TENSOR_COUNT)); break;
		case OPT_LAYERS: cut(&t, CUT_LAYER, 0); break;
		case OPT_EACH: cut(&t, CUT_EACH, 0); break;
		case OPT_FORMAT: format = optarg; break;
		case OPT_RAW: t.opts.raw = true; break;
		case OPT_ORDER: t.opts.order = (int)order_option_gguf(optarg); break;
		default: tool_option(c);
		}
	if (argc - optind != 1 || !*argv[optind])
		usage(optind == argc ? "no prefix" : "one prefix is wanted");
	if (!t.cut)
		usage("one of --max-size, --max-tensors, --layers, --each must say where to cut");
	tool_no_terminal(STDIN_FILENO);
	t.path = argv[optind];
	in = stage_open();
	m = stream_manifest(in);
	if (m->plan)
		die("a plan has no tensors to write");
	tool_progress_begin(stage_total(m));
	if (decide(&t, format, m)) {
		more_files();
		split_files(&t, in);
	} else if (split_stream(&t, in, &e) < 0) {
		die("%s", e.msg);
	}
	tool_temp_done();
	tool_progress_end();
	stream_close(in);
	return STATUS_OK;
}
