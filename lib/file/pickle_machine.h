/* SPDX-License-Identifier: MIT */
/* pickle_machine.h -- the machine that reads a pickle, and its values. */
#ifndef FILE_PICKLE_MACHINE_H
#define FILE_PICKLE_MACHINE_H

#include "pickle.h"

struct machine {
	struct arena		*arena;
	const unsigned char	*start, *p, *end;
	struct pickle_value	**stack;
	size_t			 n;
	struct pickle_value	**memo;
	size_t			 nmemo;
	struct err		*e;
	size_t			 made;
	struct pickle_value	 mark;
};

int	pickle_fail(struct machine *, const char *what);
/* A new one; onto the stack (NULL: -1); the top, taken off. */
struct pickle_value *pickle_make(struct machine *, enum pickle_kind);
int	pickle_push(struct machine *, struct pickle_value *);
struct pickle_value *pickle_pop(struct machine *);

/* pickle_torch.c: onto the stack what a name stands for; what is kept outside
 * of the pickle; what a call gives. */
int	pickle_global(struct machine *, const char *module, size_t nm, const char *name,
	    size_t nn);
int	pickle_persistent(struct machine *);
int	pickle_call(struct machine *);

#endif
