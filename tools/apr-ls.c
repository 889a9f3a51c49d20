/* SPDX-License-Identifier: MIT */
/* apr-ls -- what is inside a stream or a model, from its manifest alone. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/arch.h>
#include <apr/source.h>

#include "table.h"
#include "tool.h"

const char usage_text[] =
    "usage: apr-ls [-qv] [--json] [source...]\n"
    "      --json    one object with tensors, metadata, files\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n"
    "without a source, standard input is read\n";

enum { OPT_JSON = OPT_OWN };

static const struct option options[] = {
	{ "json", no_argument, NULL, OPT_JSON },
	TOOL_OPTIONS
};

static void
print_json(const struct manifest *m)
{
	struct buf b = { 0 };
	struct err e;

	if (manifest_write(m, &b, &e) < 0)
		die("%s", e.msg);
	fwrite(b.p, 1, b.len, stdout);
	buf_release(&b);
}

static void
print_table(const struct manifest *m)
{
	struct table_sums s = table_sums(m);
	struct buf b = { 0 };
	struct err e;

	for (size_t i = 0; i < m->nfile; i++)
		printf("%-8s %14" PRIu64 "  %-20s %s\n", "file", m->file[i].bytes, "-",
		    tame(m->file[i].name, &e));
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct tensor *t = &m->tensor[i];

		table_tensor(t);
		printf(t->tied_to ? " (tied to %s)\n" : "\n",
		    t->tied_to ? tame(t->tied_to, &e) : "");
	}
	if (arch_describe(m, &b, &e) < 0)
		die("%s", e.msg);
	if (b.len > 0)
		printf("%.*s\n", (int)b.len, (char *)b.p);
	buf_release(&b);
	printf("%zu tensors, %" PRIu64 " weights, %" PRIu64 " bytes, %.2f bits per weight%s%s%s\n",
	    m->ntensor, s.n, s.bytes, s.bpw,
	    m->source ? ", from " : "", m->source ? tame(m->source, &e) : "",
	    m->plan ? ", a plan" : "");
}

/* A plan is short: who writes it need not die of a closed pipe. */
static void
drain(void)
{
	char b[65536];

	while (read(STDIN_FILENO, b, sizeof b) > 0)
		;
}

int
main(int argc, char **argv)
{
	static char dash[] = "-";
	char *standard[] = { dash };
	bool json = false;
	struct source *s;
	struct err e;
	int c;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, TOOL_OPTSTRING, options, NULL)) != -1)
		if (c == OPT_JSON)
			json = true;
		else
			tool_option(c);
	if (optind == argc && isatty(STDIN_FILENO))
		usage("no source, and standard input is a terminal");
	s = source_open(optind < argc ? argv + optind : standard,
	    optind < argc ? (size_t)(argc - optind) : 1, &e);
	if (!s)
		die("%s", e.msg);
	if (json)
		print_json(source_manifest(s));
	else
		print_table(source_manifest(s));
	tool_flush();
	if (source_manifest(s)->plan && optind == argc)
		drain();
	source_close(s);
	return STATUS_OK;
}
