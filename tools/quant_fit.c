/* SPDX-License-Identifier: MIT */
/*
 * quant_fit.c -- apr-quant's --target-size.
 *
 * How long a file gets is known to who writes it.  So the files of the stream
 * are held back, in memory, and as often as a size is wanted they are packed
 * as a plan, with the types under way.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr/fit.h>
#include <apr/pack.h>

#include "quant_fit.h"
#include "quant_opts.h"
#include "tool.h"

static uint64_t target;
static double bpw;
static const char *size_arg;
static const struct type **list;
static size_t nlist;
static const struct format *format;
static struct measured *measured;
static const struct quant_opts *opts;
static int held = -1;		/* a plan of the source, with its files */

static void
add_types(const char *arg)
{
	char *copy = strdup(arg), *save = NULL;

	for (char *s = copy ? strtok_r(copy, ",", &save) : NULL; s; s = strtok_r(NULL, ",", &save)) {
		const struct type *t = type_by_name(s);

		if (!t || (!t->from_f32 && !(t->flags & TYPE_WHOLE)))
			usage("--types: %s is no type that can be made", s);
		if (!(list = realloc(list, (nlist + 2) * sizeof *list)))
			die("out of memory");
		list[nlist++] = t;
		list[nlist] = NULL;
	}
	if (!nlist)
		usage("--types: none");
	free(copy);
}

static void
add_errors(const char *path)
{
	const unsigned char *p;
	struct buf b = { 0 };
	struct in *in;
	struct err e;
	FILE *f = fopen(path, "re");
	size_t n;
	int r = -1;

	if (!f)
		usage("--errors: %s cannot be read", path);
	if (!(in = in_open(fileno(f), &e)))
		die("--errors: %s", e.msg);
	while ((r = in_some(in, IO_CHUNK, &p, &n, &e)) > 0)
		buf_put(&b, p, n);
	if (r < 0 || buf_check(&b, &e) < 0 || (!measured && !(measured = measured_new(&e))) ||
	    measured_add(measured, path, b.p, b.len, &e) < 0)
		die("--errors: %s", e.msg);
	in_close(in);
	fclose(f);
	buf_release(&b);
}

bool
fit_option(int c, const char *arg)
{
	char *end;

	switch (c) {
	case OPT_SIZE:
		target = tool_size(size_arg = arg, "--target-size");
		return true;
	case OPT_BPW:
		bpw = strtod(size_arg = arg, &end);
		if (end == arg || *end || !(bpw > 0 && bpw <= 64))
			usage("--target-bpw: %s is no number of bits", arg);
		return true;
	case OPT_ERRORS: add_errors(arg); return true;
	case OPT_TYPES: add_types(arg); return true;
	case OPT_FORMAT:
		if (!(format = format_by_name(arg)))
			usage("--format: %s is none of apr, gguf, safetensors", arg);
		return true;
	default:
		return false;
	}
}

bool
fit_wanted(void)
{
	if (!size_arg && (measured || list || format))
		usage("--errors, --types and --format want --target-size or --target-bpw");
	if (target && bpw > 0)
		usage("--target-size and --target-bpw");
	return size_arg;
}

void
fit_history(struct buf *b)
{
	if (!size_arg)
		return;
	buf_printf(b, ",\"%s\":", bpw > 0 ? "target_bpw" : "target_size");
	buf_json(b, size_arg, strlen(size_arg));
}

static bool
holds(void *ctx, const struct tensor *t)
{
	struct err e;

	(void)ctx;
	return format->holds(t, &e) == 0;
}

static struct stream_in *
reopen(struct err *e)
{
	struct in *in;

	if (lseek(held, 0, SEEK_SET) < 0) {
		err_sys(e, "the held files");
		return NULL;
	}
	return (in = in_open(held, e)) ? stream_open(in, e) : NULL;
}

static uint64_t
tensor_bytes(const struct manifest *m, uint64_t *weights)
{
	uint64_t bytes = 0;

	*weights = 0;
	for (size_t i = 0; i < m->ntensor; i++) {
		bytes += m->tensor[i].bytes;
		*weights += m->tensor[i].tied_to ? 0 : m->tensor[i].n;
	}
	return bytes;
}

static int
file_bytes(struct stream_in *in, struct manifest *m, uint64_t *size, struct err *e)
{
	struct pack_target t = { .format = format, .fd = -1 };
	struct pack *p = pack_open(&t, m, e);
	const char *name;
	int r = -1;

	if (p && (r = pack_run(p, in, e)) == 0)
		pack_files(p, 0, &name, size);
	pack_free(p);
	return r;
}

/* What the recipe makes of the source, in bytes. */
static int
size(void *ctx, uint64_t *n, struct err *e)
{
	struct stream_in *in = reopen(e);
	struct quant_report report;
	struct quant_from *from;
	struct manifest *m;
	uint64_t weights;
	int r = 0;

	(void)ctx;
	if (!in)
		return -1;
	m = stream_manifest(in);
	if ((from = quant_apply(m, opts, &report, e))) {
		imatrix_keys(m);
		*n = tensor_bytes(m, &weights);
		r = bpw > 0 ? 0 : file_bytes(in, m, n, e);
		quant_report_release(&report);
	} else {
		r = -1;
	}
	free(from);
	stream_close(in);
	return r;
}

static void
hold(struct stream_in *in, struct manifest *m)
{
	bool plan = m->plan;
	struct stream_out *out;
	struct member mem;
	struct err e;

	if ((held = memfd_create("files", MFD_CLOEXEC)) < 0)
		die("no memory for the files");
	m->plan = true;
	if (!(out = stream_create(held, m, 0, &e)))
		die("%s", e.msg);
	for (size_t i = 0; i < m->nfile; i++) {
		int r = stream_next(in, &mem, &e);

		if (r > 0 && mem.kind != MEMBER_FILE)
			r = err_set(&e, "the stream has fewer files than its manifest says");
		if (r < 0 || stream_copy(out, in, &mem, &e) < 0)
			die("%s", e.msg);
	}
	if (stream_end(out, &e) < 0)
		die("%s", e.msg);
	m->plan = plan;
}

/* What --format does not say; a directory's quantized form is an .apr. */
static void
choose_format(const struct manifest *m)
{
	if (!format && m->source)
		format = format_by_name(m->source);
	if (!format || (format == &format_safetensors && !strcmp(m->source, "hf")))
		format = &format_apr;
}

void
fit_run(struct stream_in *in, const struct quant_opts *o, struct recipe *r)
{
	struct manifest *m = stream_manifest(in);
	struct fit f = { .types = list, .measured = measured, .holds = holds, .size = size,
	    .target = target };
	uint64_t n, weights;
	struct err e;

	opts = o;
	choose_format(m);
	hold(in, m);
	(void)tensor_bytes(m, &weights);
	if (bpw > 0)
		f.target = (uint64_t)floor(bpw * (double)weights / 8);
	if (quant_fit(m, o, r, &f, &e) < 0 || size(NULL, &n, &e) < 0)
		die("--target-%s %s: %s", bpw > 0 ? "bpw" : "size", size_arg, e.msg);
	note("%llu bytes of %llu%s%s", (unsigned long long)n, (unsigned long long)f.target,
	    bpw > 0 ? "" : " as ", bpw > 0 ? " of tensors" : format->name);
	measured_free(measured);
	measured = NULL;
}

void
fit_files(struct stream_out *out)
{
	struct stream_in *in;
	struct member mem;
	struct err e;
	int r;

	if (held < 0)
		return;
	if (!(in = reopen(&e)))
		die("%s", e.msg);
	while ((r = stream_next(in, &mem, &e)) > 0)
		if ((r = stream_copy(out, in, &mem, &e)) < 0)
			break;
	if (r < 0)
		die("%s", e.msg);
	stream_close(in);
	close(held);
	held = -1;
	free(list);
}
