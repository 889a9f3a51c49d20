/* SPDX-License-Identifier: MIT */
/* library.h -- a library that is looked for at run time.  Private to lib/device. */
#ifndef DEVICE_LIBRARY_H
#define DEVICE_LIBRARY_H

#include <apr/err.h>

/* A function of it, and where its address goes. */
struct library_symbol {
	const char	*name;
	void		*to;		/* a pointer to a function */
};

/* All of them, up to one without a name.  The library stays: threads and
 * drivers of its own may still be in it. */
int	library_open(const char *file, const struct library_symbol *, struct err *)
	    APR_MUSTCHECK;

#endif
