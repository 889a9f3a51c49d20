/* SPDX-License-Identifier: MIT */
/* lattice.c -- hostile bytes as one of lattice's files, or as the index of a
 * directory with two good ones. */
#include <sys/stat.h>

#include "archive.h"

static char dir[] = "/tmp/fuzz-lattice.XXXXXX";

static void
put(const char *name, const void *p, size_t n)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	if (!(f = fopen(path, "w")) || fwrite(p, 1, n, f) != n || fclose(f))
		abort();
}

static void
gone(void)
{
	static const char *const names[] = { "a.q4", "b.f16", "quantize_index.json" };
	char path[64];

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
}

static void
make(void)
{
	static const unsigned char a[48] = "KHQ4\2\0\0\0\1\0\0\0\40\0\0\0\0\0\0\0\40\0\0\0\0\0\0\0\0\74";
	static const unsigned char b[30] = "KHF1\1\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\74";
	static bool made;

	if (made)
		return;
	if (!mkdtemp(dir))
		abort();
	atexit(gone);
	put("a.q4", a, sizeof a);
	put("b.f16", b, sizeof b);
	made = true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = { "" };
	char *path = dir;
	struct source *s;

	if (size >= 4 && (!memcmp(data, "KHQ4", 4) || !memcmp(data, "KHF1", 4)))
		return fuzz_file(data, size);
	if (size == 0 || (*data != '[' && *data != '{'))
		return 0;
	make();
	put("quantize_index.json", data, size);
	if ((s = source_open(&path, 1, &e))) {
		read_all(s);
		source_close(s);
	}
	if (strpbrk(e.msg, "\n\r\033"))
		abort();
	return 0;
}
