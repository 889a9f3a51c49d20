/* SPDX-License-Identifier: MIT */
/* values.h -- the tensors of a stream as F32, whatever their type, in pieces. */
#ifndef APR_VALUES_H
#define APR_VALUES_H

#include <apr/stream.h>

struct values;

/* Can it be decoded?  Integers cannot. */
bool	values_of(const struct tensor *);
/* One that can be decoded and is going to change is written with its type
 * where that is one of plain numbers, and as F32 where it is not. */
int	values_retype(struct tensor *, struct err *) APR_MUSTCHECK;
/* The stream is borrowed; progress may be NULL. */
struct values *values_new(struct stream_in *, void (*progress)(uint64_t), struct err *);
/* The stream's current member, which is t (borrowed) as it came.  With `twice`
 * what is read is kept in a nameless file, for values_again(). */
int	values_begin(struct values *, const struct tensor *t, bool twice, struct err *)
	    APR_MUSTCHECK;
/* The next n values. */
int	values_read(struct values *, float *, size_t n, struct err *) APR_MUSTCHECK;
/* From the first one again; after all were read. */
int	values_again(struct values *, struct err *) APR_MUSTCHECK;
void	values_free(struct values *);

#endif
