/* SPDX-License-Identifier: MIT */
/*
 * pickle.h -- the part of Python's pickle in which PyTorch writes tensors,
 * and nothing else: no class is looked up, no code is run.
 */
#ifndef FILE_PICKLE_H
#define FILE_PICKLE_H

#include <apr/buf.h>
#include <apr/err.h>

enum pickle_kind {
	PICKLE_NONE, PICKLE_BOOL, PICKLE_INT, PICKLE_FLOAT, PICKLE_STRING,
	PICKLE_TUPLE, PICKLE_LIST, PICKLE_DICT, PICKLE_GLOBAL,
	PICKLE_STORAGE, PICKLE_TENSOR, PICKLE_MARK,
};

/* What a name stands for: "torch FloatStorage" is its numbers' type, other
 * names are functions. */
struct pickle_global {
	const char	*name;		/* "module name" */
	const char	*type;		/* of numbers, or NULL */
};

struct pickle_value {
	enum pickle_kind kind;
	uint32_t	 n;		/* items (a dict's: keys and values) or bytes */
	union {
		int64_t			  i;	/* INT, BOOL */
		const char		 *s;	/* STRING, with a NUL behind it */
		struct pickle_value	**item;	/* TUPLE LIST DICT */
		const struct pickle_global *global;
		struct pickle_storage	 *storage;
		struct pickle_tensor	 *tensor;
	} u;
};

struct pickle_storage {
	const char	*key;		/* of the archive's entry data/KEY */
	const char	*type;		/* NULL: plain bytes */
	uint64_t	 n;		/* elements */
};

struct pickle_tensor {
	const struct pickle_storage *storage;
	const char	*type;
	uint64_t	 offset;	/* elements */
	unsigned	 ndim;
	uint64_t	 dim[8], stride[8];
};

/* The value that all of it makes, in the arena. */
const struct pickle_value *pickle_read(struct arena *, const void *, size_t, struct err *);
/* The dict's value of a key, or NULL. */
const struct pickle_value *pickle_get(const struct pickle_value *, const char *key);
/* "a dict", "a number": for messages. */
const char *pickle_what(const struct pickle_value *);

#endif
