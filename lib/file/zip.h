/* SPDX-License-Identifier: MIT */
/* zip.h -- what is in a zip archive, and where: for formats that are one. */
#ifndef FILE_ZIP_H
#define FILE_ZIP_H

#include <apr/buf.h>
#include <apr/io.h>

struct zip_entry {
	const char	*name;
	uint64_t	 from;		/* of its bytes, as they are stored */
	uint64_t	 packed, bytes;	/* stored, and unpacked */
	uint32_t	 crc;		/* of the unpacked */
	bool		 deflated;
};

struct zip {
	struct arena	 arena;
	struct zip_entry *entry;	size_t n;	/* by place in the file */
};

/* Zero-initialised.  Only what is plain: one file, stored or deflated, not
 * encrypted, no two entries with the same name or bytes. */
int	zip_read(struct zip *, struct in *, struct err *) APR_MUSTCHECK;
void	zip_release(struct zip *);
const struct zip_entry *zip_find(const struct zip *, const char *name);
/* At most max unpacked bytes of an entry, fewer if it has no more; its sum
 * is verified if all of them are. */
int	zip_get(struct in *, const struct zip_entry *, uint64_t max, struct buf *,
	    struct err *) APR_MUSTCHECK;

#endif
