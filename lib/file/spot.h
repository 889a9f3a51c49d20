/* SPDX-License-Identifier: MIT */
/*
 * spot.h -- tensors that do not lie behind a header one after the other:
 * in a zip archive, packed or not, as a view of other numbers, or each in a
 * file of its own.
 */
#ifndef FILE_SPOT_H
#define FILE_SPOT_H

#include <apr/file.h>

/* Bytes whose CRC-32 is known: all of an archive's entry, unpacked. */
struct sum {
	uint64_t	 from, bytes;	/* in the file, as they are stored */
	uint32_t	 crc;
	bool		 done;
};
#define NO_SUM		SIZE_MAX

/* Of tensor t it is h->spots->p[t->offset]: so spots stand in the order
 * of the data. */
struct spot {
	uint64_t	 from;		/* in the file: its first byte, or the
					 * packed ones' */
	uint64_t	 packed;	/* deflated: their number; else 0 */
	uint64_t	 skip;		/* unpacked bytes before the tensor's */
	uint64_t	 stride[TENSOR_DIMS];	/* elements */
	bool		 strided;
	size_t		 sum;		/* into sum, or NO_SUM */
	const char	*path;		/* NULL: the header's own file */
	uint64_t	 spilled;	/* 1 + where its copy is, 0: nowhere */
	/* Judges bytes as they pass, a whole number of blocks; or NULL. */
	int		(*judge)(const struct tensor *, const void *, size_t n,
			    uint64_t at, struct err *);
	bool		 judged;
};

struct spots {
	struct spot	*p;		size_t n;
	struct sum	*sum;		size_t nsum;
	int		 spill;		/* an unlinked file, or -1 */
	uint64_t	 end;		/* of what is in it */
	int		 fd;		/* of the path opened last, or -1 */
	const char	*path;
};

typedef int spot_put(void *ctx, const void *, size_t, struct err *);

struct spots *spots_new(struct err *);
void	spots_free(struct spots *);
/* One more, zeroed but for sum; good until the next. */
struct spot *spots_add(struct spots *, struct err *);
/* Its number, or NO_SUM when memory is short (*e is set). */
size_t	spots_sum(struct spots *, uint64_t from, uint64_t bytes, uint32_t crc,
	    struct err *);

/* All bytes of a tensor, in pieces, their sums verified; fd: the header's
 * own file. */
int	spot_pass(struct spots *, int fd, const struct tensor *, spot_put *,
	    void *, struct err *) APR_MUSTCHECK;
/* n of its bytes from byte off on: what is packed or a view is spilled to a
 * temporary file first, what is to be judged is read twice. */
int	spot_get(struct spots *, int fd, const struct tensor *, uint64_t off,
	    void *, size_t n, struct err *) APR_MUSTCHECK;

#endif
