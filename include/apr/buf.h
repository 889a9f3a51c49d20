/* SPDX-License-Identifier: MIT */
/* buf.h -- bytes that grow, and strings that live together. */
#ifndef APR_BUF_H
#define APR_BUF_H

#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

/* Zero-initialise; buf_release() frees.  A failed append sets `bad` and
 * keeps the rest, so that a caller may check once, at the end. */
struct buf {
	unsigned char	*p;
	size_t		 len, cap;
	int		 bad;		/* out of memory */
};

void	buf_put(struct buf *, const void *, size_t);
void	buf_str(struct buf *, const char *);
void	buf_printf(struct buf *, const char *fmt, ...) APR_PRINTF(2, 3);
/* A JSON string, quoted and escaped; bytes that are not UTF-8 become U+FFFD. */
void	buf_json(struct buf *, const void *, size_t);
/* A number as JSON: the first text of 15, 16 or 17 digits (of an F32: from 6)
 * that reads back as the same number, with a point whatever the locale; null,
 * if it is not finite. */
void	buf_real(struct buf *, double);
void	buf_real32(struct buf *, float);
void	buf_release(struct buf *);
/* 0, or -1 with "out of memory" if an append failed. */
int	buf_check(const struct buf *, struct err *) APR_MUSTCHECK;

/* Bump allocation: everything is freed at once. */
struct arena {
	struct arena_block *head;
};

/* NULL when memory is short; zeroed, aligned for anything. */
void	*arena_alloc(struct arena *, size_t);
/* A copy with a NUL behind it. */
char	*arena_strn(struct arena *, const void *, size_t);
void	 arena_release(struct arena *);

/* Room for one more in an array of n elements of `size` bytes, which grows
 * here alone and is free()d; `array` points to the pointer to it. */
int	array_room(void *array, size_t n, size_t size, struct err *) APR_MUSTCHECK;
/* Room for n bytes where there were *cap, at least that many from now on. */
int	bytes_room(void *array, size_t *cap, uint64_t n, struct err *) APR_MUSTCHECK;

/* Is it UTF-8 (no surrogates, nothing overlong)? */
int	utf8_valid(const void *, size_t);

#endif
