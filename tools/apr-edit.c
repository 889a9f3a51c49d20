/* SPDX-License-Identifier: MIT */
/* apr-edit -- a jq program over a model's metadata and its tensors' names. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr/edit.h>
#include <apr/stream.h>

#include "stage.h"
#include "text.h"

const char usage_text[] =
    "usage: apr-edit [-qv] [--zstd[=LEVEL]] program <stream >stream\n"
    "       apr-edit [-qv] [--zstd[=LEVEL]] -f file <stream >stream\n"
    "  -f, --from-file FILE  the jq program is in a file\n"
    "      --zstd[=LEVEL]    compress the stream\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n"
    "The program gets and gives {\"metadata\": {...}, \"tensors\": [{\"name\": ...}, ...]}\n";

enum { OPT_ZSTD = OPT_OWN };

static const struct option options[] = {
	{ "from-file", required_argument, NULL, 'f' },
	{ "zstd",      optional_argument, NULL, OPT_ZSTD },
	TOOL_OPTIONS
};

static void
add_history(struct manifest *m, const char *program)
{
	struct buf b = { 0 };

	buf_str(&b, "\"program\":");
	buf_json(&b, program, strlen(program));
	stage_history(m, "apr-edit", &b);
}

/* The files, held: an edit may change one, and the manifest has its length.
 * 1: *first is the first member that is none; 0: the stream has no more. */
static int
hold(struct stream_in *in, struct buf *file, struct member *first)
{
	struct err e;
	const void *p;
	size_t n;
	int r, k;

	while ((r = stream_next(in, first, &e)) > 0 && first->kind == MEMBER_FILE) {
		while ((k = stream_some(in, &p, &n, &e)) > 0)
			buf_put(&file[first->index], p, n);
		if (k < 0 || buf_check(&file[first->index], &e) < 0)
			die("%s", e.msg);
	}
	if (r < 0)
		die("%s", e.msg);
	return r;
}

static int
pass(struct stream_in *in, struct stream_out *out, const struct member *mem,
    const char *const *name, struct err *e)
{
	const void *p;
	size_t n;
	int r;

	if (mem->kind != MEMBER_TENSOR)
		return stream_copy(out, in, mem, e);
	if (!name[mem->index])
		return 0;	/* stream_next() skips it */
	if (stream_member(out, MEMBER_TENSOR, name[mem->index], mem->bytes, e) < 0)
		return -1;
	while ((r = stream_some(in, &p, &n, e)) > 0)
		if (stream_write(out, p, n, e) < 0)
			return -1;
	tool_progress(mem->bytes);
	return r;
}

int
main(int argc, char **argv)
{
	const char *program = NULL, **name;
	struct program *edit;
	struct stream_out *out;
	struct stream_in *in;
	struct member mem;
	struct manifest *m;
	struct buf *file;
	struct err e;
	uint64_t total;
	struct buf text = { 0 };
	int zstd = 0, c, r;
	size_t nfile;

	tool_init(argv);
	while ((c = getopt_long(argc, argv, "f:" TOOL_OPTSTRING, options, NULL)) != -1)
		switch (c) {
		case 'f':
			text_read(optarg, &text);
			buf_put(&text, "", 1);
			if (buf_check(&text, &e) < 0)
				die("%s", e.msg);
			program = (char *)text.p;
			break;
		case OPT_ZSTD: zstd = tool_zstd(optarg); break;
		default: tool_option(c);
		}
	if (!program && optind < argc)
		program = argv[optind++];
	if (!program || optind < argc)
		usage(program ? "more than one program" : "no program");
	tool_no_terminal(STDOUT_FILENO);
	if (!(edit = edit_new(program, &e)))
		usage("%s", e.msg);
	in = stage_open();
	m = stream_manifest(in);
	nfile = m->nfile;
	if (!(file = calloc(nfile + 1, sizeof *file)) ||
	    !(name = calloc(m->ntensor + 1, sizeof *name)))
		die("out of memory");
	r = hold(in, file, &mem);
	total = stage_total(m);
	if (edit_run(edit, m, file, name, &e) < 0)
		die("%s", e.msg);
	edit_free(edit);
	add_history(m, program);
	if (manifest_check(m, &e) < 0 || !(out = stream_create(STDOUT_FILENO, m, zstd, &e)))
		die("%s", e.msg);
	tool_progress_begin(m->plan ? 0 : total);
	for (size_t i = 0; i < nfile; i++) {
		if (stream_member(out, MEMBER_FILE, m->file[i].name, file[i].len, &e) < 0 ||
		    stream_write(out, file[i].p, file[i].len, &e) < 0)
			die("%s", e.msg);
		buf_release(&file[i]);
	}
	for (; r > 0; r = stream_next(in, &mem, &e))
		if (pass(in, out, &mem, name, &e) < 0)
			die("%s", e.msg);
	if (r < 0 || stream_end(out, &e) < 0)
		die("%s", e.msg);
	tool_progress_end();
	stream_close(in);
	free(file);
	free(name);
	buf_release(&text);
	return STATUS_OK;
}
