/* SPDX-License-Identifier: MIT */
/* apr.h -- what reading and writing of .apr share. */
#ifndef FILE_APR_H
#define FILE_APR_H

#include <apr/file.h>

enum {
	APR_HEADER = 64, APR_ALIGN = 64,
	APR_LZ4 = 0x1, APR_ZSTD = 0x2, APR_ENCRYPTED = 0x4, APR_SHARDED = 0x10,
	APR_ROW_MAJOR = 0x400, APR_COLUMN_MAJOR = 0x800,
};

struct apr {
	size_t	 meta, meta_len;	/* the JSON's place in raw */
	bool	 tied;			/* tied_embeddings is true */
	bool	 sharded;		/* one of several files */
};

/* The code and layout of a type, written as the newest `apr` does; or -1. */
int	apr_code(const struct type *, bool legacy);
/* CRC-32 of the header without its checksum field. */
uint32_t apr_header_crc(const unsigned char *);

int	apr_layout(const struct layout_in *, struct layout *, struct err *);
/* Metadata for a file that was no .apr before. */
int	apr_metadata(const struct layout_in *, bool tied, struct buf *, struct err *);

#endif
