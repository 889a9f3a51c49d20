/* SPDX-License-Identifier: MIT */
/* table.h -- tensors as lines for people. */
#ifndef TABLE_H
#define TABLE_H

#include <apr/manifest.h>

/* Names come from files; err_set() takes the teeth out of them. */
const char *tame(const char *, struct err *);
/* Type, bytes, shape and name, to standard output; without the line's end. */
void	table_tensor(const struct tensor *);
/* What all of them weigh; those that are tied count once. */
struct table_sums {
	uint64_t	 n, bytes;
	double		 bpw;		/* bits per weight; 0 without any */
};
struct table_sums table_sums(const struct manifest *);

#endif
