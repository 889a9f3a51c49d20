/* SPDX-License-Identifier: MIT */
/* err.h -- how every fallible library function reports. */
#ifndef APR_ERR_H
#define APR_ERR_H

#if defined(__GNUC__)
# define APR_PRINTF(f, a) __attribute__((__format__(__printf__, f, a)))
# define APR_MUSTCHECK    __attribute__((__warn_unused_result__))
#else
# define APR_PRINTF(f, a)
# define APR_MUSTCHECK
#endif

/* A message fit to print after "progname: ".  Untouched on success. */
struct err {
	char msg[1024];
};

/* Format a message into e (control characters in it become '?', so that a
 * hostile name cannot drive a terminal); returns -1, so callers return it. */
int err_set(struct err *e, const char *fmt, ...) APR_PRINTF(2, 3);
/* The same, with ": strerror(errno)" appended. */
int err_sys(struct err *e, const char *fmt, ...) APR_PRINTF(2, 3);
/* Put "context: " before the message that is there; returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) APR_PRINTF(2, 3);

#endif
