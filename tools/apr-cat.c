/* SPDX-License-Identifier: MIT */
/* apr-cat -- a model, whatever it is, as a stream. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/source.h>
#include <apr/where.h>

#include "globs.h"
#include "order.h"
#include "stage.h"
#include "tool.h"

const char usage_text[] =
    "usage: apr-cat [-nqv] [options] source...\n"
    "  -n, --plan            only say what would come: no tensor is read\n"
    "      --as CONVENTION   tensors as gguf, hf or apr has them: names, layouts\n"
    "      --order ORDER     source, name, quantize (llama-quantize's) or convert\n"
    "                        (that of llama.cpp's converter)\n"
    "      --select GLOB     only tensors of these names (repeatable)\n"
    "      --reject GLOB     not these (repeatable)\n"
    "      --where EXPR      only those whose manifest entry makes a jq\n"
    "                        expression true\n"
    "      --absmax          put each tensor's largest |x| into the manifest\n"
    "      --zstd[=LEVEL]    compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n";

enum { OPT_AS = OPT_OWN, OPT_ORDER, OPT_SELECT, OPT_REJECT, OPT_WHERE, OPT_ABSMAX, OPT_ZSTD };

static const struct option options[] = {
	{ "plan",   no_argument,       NULL, 'n' },
	{ "as",     required_argument, NULL, OPT_AS },
	{ "order",  required_argument, NULL, OPT_ORDER },
	{ "select", required_argument, NULL, OPT_SELECT },
	{ "reject", required_argument, NULL, OPT_REJECT },
	{ "where",  required_argument, NULL, OPT_WHERE },
	{ "absmax", no_argument,       NULL, OPT_ABSMAX },
	{ "zstd",   optional_argument, NULL, OPT_ZSTD },
	TOOL_OPTIONS
};

/* Drop what was not asked for; what a tied one repeats must stay with it. */
static void
choose(struct manifest *m, const struct globs *select, const struct globs *reject,
    const char *expr)
{
	struct program *w = NULL;
	struct err e;
	size_t n = 0;

	if (expr && !(w = where_new(expr, &e)))
		usage("--where: %s", e.msg);
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];
		int yes = (!select->n || globs_match(select, t->name)) && !globs_match(reject, t->name);

		if (yes && w && (yes = where_match(w, t, &e)) < 0) {
			where_free(w);
			die("--where: %s: %s", t->name, e.msg);
		}
		if (yes)
			m->tensor[n++] = m->tensor[i];
	}
	m->ntensor = n;
	where_free(w);
}

static void
put_globs(struct buf *b, const char *key, const struct globs *g)
{
	if (g->n == 0)
		return;
	buf_printf(b, "%s\"%s\":[", b->len ? "," : "", key);
	for (size_t i = 0; i < g->n; i++) {
		buf_str(b, i ? "," : "");
		buf_json(b, g->v[i], strlen(g->v[i]));
	}
	buf_str(b, "]");
}

/* What was chosen is part of what the model is. */
static void
add_history(struct manifest *m, int as, const struct globs *select,
    const struct globs *reject, const char *expr)
{
	struct buf b = { 0 };

	if (as >= 0)
		buf_printf(&b, "\"as\":\"%s\"", arch_conv_name((enum arch_conv)as));
	put_globs(&b, "select", select);
	put_globs(&b, "reject", reject);
	if (expr) {
		buf_str(&b, b.len ? ",\"where\":" : "\"where\":");
		buf_json(&b, expr, strlen(expr));
	}
	stage_history(m, "apr-cat", &b);
}

int
main(int argc, char **argv)
{
	struct globs select = { 0 }, reject = { 0 };
	const char *expr = NULL;
	const char *const *skipped;
	enum order order = ORDER_SOURCE;
	bool plan = false, absmax = false;
	int zstd = 0, as = -1, c;
	struct source *s;
	struct stream_out *out;
	struct manifest *m;
	uint64_t total;
	struct err e;
	size_t n;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "n" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'n': plan = true; break;
		case OPT_AS:
			if ((as = arch_conv_by_name(optarg)) < 0)
				usage("--as: %s is none of gguf, hf, apr", optarg);
			break;
		case OPT_ORDER: order = order_option(optarg); break;
		case OPT_SELECT: globs_add(&select, optarg); break;
		case OPT_REJECT: globs_add(&reject, optarg); break;
		case OPT_WHERE: expr = optarg; break;
		case OPT_ABSMAX: absmax = true; break;
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default: tool_option(c);
		}
	if (optind == argc)
		usage("no source");
	tool_no_terminal(STDOUT_FILENO);
	if (!(s = source_open(argv + optind, (size_t)(argc - optind), &e)))
		die("%s", e.msg);
	m = source_manifest(s);
	skipped = source_skipped(s, &n);
	for (size_t i = 0; i < n; i++)
		note("%s: does not travel", skipped[i]);
	if (plan && source_is_stream(s) && !m->plan)
		die("%s: a plan of a saved stream: apr-ls shows it", argv[optind]);
	m->plan |= plan;
	if (absmax && !m->plan && source_absmax(s, &e) < 0)
		die("%s", e.msg);
	if (as >= 0 && source_as(s, (enum arch_conv)as, &e) < 0)
		die("%s", e.msg);
	if (select.n || reject.n || expr) {
		if (source_is_stream(s))
			die("%s: choosing tensors of a saved stream is not possible;"
			    " apr-pack it first", argv[optind]);
		choose(m, &select, &reject, expr);
	}
	if (!source_is_stream(s))
		add_history(m, as, &select, &reject, expr);
	if (source_order(s, order, &e) < 0 || manifest_check(m, &e) < 0)
		die("%s", e.msg);
	total = stage_total(m);
	if (!(out = stream_create(STDOUT_FILENO, m, zstd, &e)))
		die("%s", e.msg);
	tool_progress_begin(m->plan ? 0 : total);
	if (source_copy(s, out, tool_progress, &e) < 0 || stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	source_close(s);
	free(select.v);
	free(reject.v);
	return STATUS_OK;
}
