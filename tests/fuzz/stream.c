/* SPDX-License-Identifier: MIT */
/* stream.c -- hostile bytes as a stream: read as a filter reads it, and
 * packed, as a pipe, into the format that it says it came from. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <apr/pack.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct stream_in *
open_stream(const uint8_t *data, size_t size)
{
	struct err e = { "" };
	struct in *in = in_mem(data, size, &e);

	return in ? stream_open(in, &e) : NULL;
}

static void
read_all(struct stream_in *s)
{
	struct buf text = { 0 };
	struct err e = { "" };
	struct member m;
	const void *p;
	size_t n;

	if (manifest_write(stream_manifest(s), &text, &e) < 0)
		abort();
	while (stream_next(s, &m, &e) > 0)
		/* Some are read, some are left for the next call to skip. */
		while (m.index % 2 == 0 && stream_some(s, &p, &n, &e) > 0)
			;
	buf_release(&text);
	stream_close(s);
}

static void
pack(struct stream_in *s, int fd)
{
	struct manifest *m = stream_manifest(s);
	struct pack_target t = { .fd = fd, .opts.raw = true };
	struct err e = { "" };
	struct pack *p;

	if (!m->source || !(t.format = format_by_name(m->source)))
		t.format = &format_safetensors;
	if ((p = pack_open(&t, m, &e))) {
		if (pack_run(p, s, &e) == 0 && e.msg[0])
			abort();
		pack_free(p);
	}
	stream_close(s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int null = -1;
	struct stream_in *s;

	if (null < 0 && (null = open("/dev/null", O_WRONLY | O_CLOEXEC)) < 0)
		abort();
	if ((s = open_stream(data, size)))
		read_all(s);
	if ((s = open_stream(data, size)))
		pack(s, null);
	return 0;
}
