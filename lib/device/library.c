/* SPDX-License-Identifier: MIT */
/* library.c -- a library that is looked for at run time. */
#include <dlfcn.h>
#include <string.h>

#include "library.h"

int
library_open(const char *file, const struct library_symbol *s, struct err *e)
{
	void *lib = dlopen(file, RTLD_NOW | RTLD_LOCAL), *p;

	if (!lib)
		return err_set(e, "%s is not there: %s", file, dlerror());
	for (; s->name; s++) {
		if (!(p = dlsym(lib, s->name)))
			return err_set(e, "%s has no %s: it is too old", file, s->name);
		memcpy(s->to, &p, sizeof p);	/* ISO C has no cast for it */
	}
	return 0;
}
