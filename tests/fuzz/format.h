/* SPDX-License-Identifier: MIT */
/*
 * format.h -- what the harnesses of the three formats share: a header from
 * hostile bytes, checked as apr-cat checks it, and written again as apr-pack
 * would.  What we wrote must be a header to us, with the same tensors.
 */
#ifndef FUZZ_FORMAT_H
#define FUZZ_FORMAT_H

#include <stdlib.h>
#include <string.h>

#include <apr/file.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static inline void
fuzz_again(const struct format *f, struct layout *l, const struct manifest *m,
    const size_t *which, size_t n)
{
	struct err e = { "" };
	struct manifest *again = manifest_new(&e);
	struct header h;

	if (!again || header_parse_mem(&h, f, &l->head, again, 0, &e) < 0 ||
	    again->ntensor != n)
		abort();
	header_sort(again, 0);
	if (header_check(again, 0, h.raw.len, UINT64_MAX, &e) < 0 ||
	    manifest_check(again, &e) < 0)
		abort();
	for (size_t i = 0; i < n; i++)
		if (f != &format_apr && (strcmp(again->tensor[i].name, m->tensor[which[i]].name) ||
		    again->tensor[i].bytes != m->tensor[which[i]].bytes))
			abort();
	header_release(&h);
	manifest_free(again);
}

static inline int
fuzz_count(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)e;
	*(uint64_t *)ctx += n;
	return 0;
}

static inline int
fuzz_format(const struct format *f, const uint8_t *data, size_t size)
{
	struct err e = { "" };
	struct manifest *m = manifest_new(&e);
	struct in *in = in_mem(data, size, &e);
	struct pack_opts opts = { .raw = true };
	struct header h = { 0 };
	struct layout l = { 0 };
	struct buf text = { 0 };
	size_t *which = NULL, n = 0;

	if (!m || !in || header_parse(&h, f, in, m, 0, &e) < 0)
		goto out;
	header_sort(m, 0);
	if (header_check(m, 0, in_pos(in), UINT64_MAX, &e) < 0 ||
	    manifest_check(m, &e) < 0 || manifest_write(m, &text, &e) < 0)
		goto out;
	for (size_t i = 0; i < h.nheld; i++) {
		uint64_t bytes = 0;

		if (held_read(&h, i, fuzz_count, &bytes, &e) < 0 || bytes != h.held[i].bytes)
			abort();
	}
	if (!(which = calloc(m->ntensor + 1, sizeof *which)))
		goto out;
	for (size_t i = 0; i < m->ntensor; i++)
		if (f == &format_apr || !m->tensor[i].tied_to)
			which[n++] = i;
	if (f->layout(&(struct layout_in){ .m = m, .which = which, .n = n, .source = &h,
	    .opts = &opts }, &l, &e) == 0)
		fuzz_again(f, &l, m, which, n);
out:
	if (e.msg[0] && strpbrk(e.msg, "\n\r\033"))
		abort();
	free(which);
	free(l.offset);
	buf_release(&l.head);
	buf_release(&text);
	header_release(&h);
	in_close(in);
	manifest_free(m);
	return 0;
}

#endif
