/* SPDX-License-Identifier: MIT */
/* pickle.c -- hostile bytes as a checkpoint's data.pkl: in an archive around
 * them that is right, sums too, so that they are what is read. */
#include <apr/buf.h>
#include <apr/size.h>

#include "archive.h"

static uint32_t
crc32_of(const uint8_t *p, size_t n)
{
	uint32_t c = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
	}
	return ~c;
}

static void
put(struct buf *b, unsigned bytes, uint64_t v)
{
	unsigned char p[8];

	le64_put(p, v);
	buf_put(b, p, bytes);
}

/* An entry's header, and its copy in the directory. */
static void
header(struct buf *b, bool directory, const char *name, const uint8_t *p, size_t n, size_t at)
{
	buf_str(b, directory ? "PK\1\2" : "PK\3\4");
	put(b, directory ? 4 : 2, 20);
	put(b, 8, 0);		/* flags, method, time, date */
	put(b, 4, crc32_of(p, n));
	put(b, 4, n);
	put(b, 4, n);
	put(b, 2, strlen(name));
	put(b, directory ? 8 : 2, 0);
	put(b, directory ? 4 : 0, 0);
	put(b, directory ? 4 : 0, at);
	buf_str(b, name);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t numbers[64];
	static const char *const name[] = { "a/data.pkl", "a/data/0" };
	struct { const uint8_t *p; size_t n, at; } e[] = {
		{ data, size, 0 }, { numbers, sizeof numbers, 0 },
	};
	struct buf b = { 0 };
	size_t at;

	for (size_t i = 0; i < 2; i++) {
		e[i].at = b.len;
		header(&b, false, name[i], e[i].p, e[i].n, 0);
		buf_put(&b, e[i].p, e[i].n);
	}
	at = b.len;
	for (size_t i = 0; i < 2; i++)
		header(&b, true, name[i], e[i].p, e[i].n, e[i].at);
	size = b.len - at;
	buf_str(&b, "PK\5\6");
	put(&b, 4, 0);
	put(&b, 2, 2);
	put(&b, 2, 2);
	put(&b, 4, size);
	put(&b, 4, at);
	put(&b, 2, 0);
	if (!b.bad)
		fuzz_file(b.p, b.len);
	buf_release(&b);
	return 0;
}
