/* SPDX-License-Identifier: MIT */
/* imatrix.h -- between imatrix.c and the two formats it reads. */
#ifndef FILE_IMATRIX_H
#define FILE_IMATRIX_H

#include <apr/imatrix.h>
#include <apr/io.h>
#include <apr/manifest.h>

struct entry {
	struct imatrix_entry	 e;
	uint64_t		 at;		/* of its values */
	uint64_t		 counts;	/* GGUF: of one f32 an expert */
	int32_t			 calls;		/* .dat */
	bool			 have_sums, have_counts;
};

struct imatrix {
	int			 fd;
	int			 spill;		/* what fd could not seek in; -1 */
	bool			 gguf;
	struct arena		 arena;
	struct entry		*entry;
	size_t			 n;
	struct names		*names;
	const char		*dataset;
	uint32_t		 chunks;
};

/* A new entry, or NULL. */
struct entry *imatrix_add(struct imatrix *, const void *name, size_t len,
	    struct err *);
/* n values as they pass by: none may be NaN or infinite; *zeros grows by
 * those that are not above 0. */
int	imatrix_look(struct in *, uint64_t n, const char *name, uint64_t *zeros,
	    struct err *) APR_MUSTCHECK;

int	imatrix_read_gguf(struct imatrix *, struct in *, struct err *) APR_MUSTCHECK;
int	imatrix_read_dat(struct imatrix *, struct in *, struct err *) APR_MUSTCHECK;

#endif
