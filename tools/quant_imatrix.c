/* SPDX-License-Identifier: MIT */
/* quant_imatrix.c -- --imatrix and what belongs to it. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "quant_opts.h"
#include "tool.h"

static const char *path;
static const char **part;
static size_t nparts;
static bool include;
static int fd = -1;
static struct imatrix *im;

bool
imatrix_option(int c, const char *arg)
{
	if (c == OPT_IMATRIX) {
		path = arg;
		return true;
	}
	if (c != OPT_INCLUDE && c != OPT_EXCLUDE)
		return false;
	if (nparts && include != (c == OPT_INCLUDE))
		usage("--include-weights and --exclude-weights exclude each other");
	include = c == OPT_INCLUDE;
	if (!(part = realloc(part, (nparts + 1) * sizeof *part)))
		die("out of memory");
	part[nparts++] = arg;
	return true;
}

struct imatrix *
imatrix_given(void)
{
	struct err e;

	if (nparts && !path)
		usage("--include-weights and --exclude-weights want --imatrix");
	if (!path || im)
		return im;
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
		err_sys(&e, "%s", path);
		die("%s", e.msg);
	}
	if (!(im = imatrix_open(fd, &e)) ||
	    (nparts && imatrix_select(im, part, nparts, include, &e) < 0))
		die("%s: %s", path, e.msg);
	/* With nothing left it is as if there were none. */
	if (imatrix_count(im) == 0)
		imatrix_done();
	return im;
}

void
imatrix_keys(struct manifest *m)
{
	struct err e;

	if (im && quant_set_imatrix(m, path, *imatrix_dataset(im) ? imatrix_dataset(im) : NULL,
	    (uint32_t)imatrix_count(im), imatrix_chunks(im), &e) < 0)
		die("%s", e.msg);
}

void
imatrix_apply(struct manifest *m, struct quant_from *from)
{
	struct quant_coverage c;
	struct err e;

	if (!im)
		return;
	if (quant_weigh(m, from, im, &c, &e) < 0)
		die("%s", e.msg);
	imatrix_keys(m);
	warn("imatrix: weights for %zu of %zu tensors%s%s", c.with, c.with + c.without,
	    c.without ? ", none for " : "", (char *)c.missing.p);
	if (c.cold)
		warn("imatrix: %llu of %llu experts were never reached: %s",
		    (unsigned long long)c.cold, (unsigned long long)c.experts,
		    (char *)c.text.p);
	if (c.unused)
		warn("imatrix: %zu of %zu entries are for no tensor of this model",
		    c.unused, imatrix_count(im));
	buf_release(&c.missing);
	buf_release(&c.text);
}

void
imatrix_done(void)
{
	imatrix_close(im);
	im = NULL;
	if (fd >= 0)
		(void)close(fd);
	fd = -1;
	path = NULL;
	nparts = 0;
}
