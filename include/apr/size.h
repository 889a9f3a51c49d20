/* SPDX-License-Identifier: MIT */
/* size.h -- arithmetic on sizes from outside that cannot wrap, and
 * little-endian bytes at any alignment. */
#ifndef APR_SIZE_H
#define APR_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns true if the result does not fit (C23 ckd_* semantics). */
static inline bool
u64_add(uint64_t *r, uint64_t a, uint64_t b)
{
	return __builtin_add_overflow(a, b, r);
}

static inline bool
u64_mul(uint64_t *r, uint64_t a, uint64_t b)
{
	return __builtin_mul_overflow(a, b, r);
}

static inline bool
size_mul(size_t *r, size_t a, size_t b)
{
	return __builtin_mul_overflow(a, b, r);
}

/* *r = a rounded up to a multiple of align, a power of two. */
static inline bool
u64_align(uint64_t *r, uint64_t a, uint64_t align)
{
	uint64_t t;

	if (u64_add(&t, a, align - 1))
		return true;
	*r = t & ~(align - 1);
	return false;
}

static inline uint16_t
le16_get(const void *p)
{
	const unsigned char *b = p;

	return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t
le32_get(const void *p)
{
	const unsigned char *b = p;

	return (uint32_t)b[0] | (uint32_t)b[1] << 8 |
	    (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t
le64_get(const void *p)
{
	return le32_get(p) |
	    (uint64_t)le32_get((const unsigned char *)p + 4) << 32;
}

static inline void
le16_put(void *p, uint16_t v)
{
	unsigned char *b = p;

	b[0] = (unsigned char)v;
	b[1] = (unsigned char)(v >> 8);
}

static inline void
le32_put(void *p, uint32_t v)
{
	le16_put(p, (uint16_t)v);
	le16_put((unsigned char *)p + 2, (uint16_t)(v >> 16));
}

static inline void
le64_put(void *p, uint64_t v)
{
	le32_put(p, (uint32_t)v);
	le32_put((unsigned char *)p + 4, (uint32_t)(v >> 32));
}

#endif
