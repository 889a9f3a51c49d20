/* SPDX-License-Identifier: MIT */
/* imatrix.c -- hostile bytes as an importance matrix, and all its weights. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <apr/imatrix.h>
#include <apr/io.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("imatrix", MFD_CLOEXEC);
	struct err e = { "" };
	struct imatrix *m;

	if (fd < 0 || io_pwrite(fd, data, size, 0, &e) < 0)
		abort();
	if ((m = imatrix_open(fd, &e))) {
		for (size_t i = 0; i < imatrix_count(m); i++) {
			const struct imatrix_entry *x = imatrix_entry(m, i);
			float *v;

			/* Every value was seen, so there are no more than these. */
			if (x->n > size / 4 || imatrix_find(m, x->name) != i)
				abort();
			if ((v = calloc((size_t)x->n, sizeof *v)) &&
			    imatrix_read(m, i, v, &e) < 0)
				abort();
			free(v);
		}
		imatrix_close(m);
	}
	if (e.msg[0] && strpbrk(e.msg, "\n\r\033"))
		abort();
	(void)close(fd);
	return 0;
}
