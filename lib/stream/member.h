/* SPDX-License-Identifier: MIT */
/* member.h -- what reader and writer agree on: names of members, sums. */
#ifndef APR_STREAM_MEMBER_H
#define APR_STREAM_MEMBER_H

#include <stddef.h>

#include <xxhash.h>
/* Where libxxhash has the faster loops that a CPU may have, it says so. */
#if defined __x86_64__ && defined __has_include
# if __has_include(<xxh_x86dispatch.h>)
#  include <xxh_x86dispatch.h>
# endif
#endif

#include <apr/stream.h>

/* The current member's, as it came: good until the next one. */
const char *stream_path(const struct stream_in *);
/* A line's 32 digits, as xxhsum prints them. */
void	member_sum_hex(XXH128_hash_t, char dst[33]);

#endif
