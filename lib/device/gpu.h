/* SPDX-License-Identifier: MIT */
/*
 * gpu.h -- a device whose memory is not the host's: the operations as calls of
 * kernels, by whatever driver brings them there.  Private to lib/device.
 */
#ifndef DEVICE_GPU_H
#define DEVICE_GPU_H

#include <apr/device.h>
#include <apr/kernel.h>

/* In the order of gpu_kernels.c's names.  From K_PACKED on there is one a type
 * that is no plain number. */
enum gpu_kernel {
	K_ZERO, K_NORM, K_GATE, K_ACTIVATE, K_ADD, K_GATHER, K_ROUTE, K_DEAL, K_COMBINE,
	K_REMEMBER, K_ATTEND, K_CONVOLVE, K_UNIT, K_RECUR, K_QUANTIZE,
	K_F32, K_F16, K_BF16, K_F64, K_F8_E4M3, K_F8_E5M2,
	K_ROW_F32, K_ROW_F16, K_ROW_BF16, K_ROW_F64, K_ROW_F8_E4M3, K_ROW_F8_E5M2,
	K_SAMPLE_BEGIN, K_SAMPLE_ADJUST, K_SAMPLE_TOP, K_SAMPLE_WEIGH, K_SAMPLE_SUM,
	K_SAMPLE_SELECT, K_SAMPLE_SETTLE, K_SAMPLE_DRAW,
	K_PACKED, K_VALUE, K_ROW, K_KERNELS,
	K_TYPED = K_KERNELS - K_PACKED
};
enum { GPU_TYPES = 32 };	/* slots, see gpu_type_slot() */

struct gpu;

/* Bytes at an address, and where they are. */
struct gpu_range {
	uintptr_t	 at;
	size_t		 bytes;
	void		*mem;		/* the driver's name for them */
	size_t		 from;		/* where they begin in it */
	size_t		 taken;		/* bytes of the driver's */
	bool		 ours;		/* the address is ours, and no host's */
	bool		 shared;	/* mem is another range's to give back */
};

/* A value for a kernel; with `mem` set the base of a buffer, else `bytes` of v. */
struct gpu_arg {
	void		*mem;
	union {
		uint64_t u64;
		uint32_t u32;
		float	 f32;
	}		 v;
	bool		 base;		/* it is mem, be it NULL */
	unsigned char	 bytes;
};
enum { GPU_ARGS = 64 };

/* Whether an address that is an argument, and the next, is a multiple. */
static inline bool
gpu_at_multiple(const struct gpu_arg *a, size_t of)
{
	return ((uintptr_t)a[0].mem + a[1].v.u64) % of == 0;
}

/* A mixture's memory, see experts.cl: choices, tiles, and what is made of all
 * chosen columns. */
enum gpu_mixture {
	GPU_PLACE, GPU_COLUMN, GPU_TILE, GPU_UP, GPU_GATE, GPU_DOWN, GPU_MIXTURE
};

/* Products of experts, n_expert matrices that follow one another: the device
 * knows which expert has which columns. */
struct gpu_tiles {
	const void	*tile;
	const void	*column;	/* of x; NULL: as they stand */
	size_t		 n, size;	/* of up to `size` columns */
	size_t		 n_expert;
};

/* Work-groups in three dimensions, of `group` items in the first. */
struct gpu_call {
	enum gpu_kernel	 kernel;
	const struct type *type;	/* from K_PACKED on */
	uint32_t	 groups[3], group;
	struct gpu_arg	 arg[GPU_ARGS];
	uint32_t	 nargs;
};

/* What a driver does.  A const char * is what went wrong, the driver's call
 * and its status in words, good until the next; NULL: nothing. */
struct gpu_driver {
	void	(*close)(struct gpu *);		/* frees it; after a failed open too */
	void	*(*alloc)(struct gpu *, size_t bytes, const char **why);
	void	(*free)(struct gpu *, void *mem);
	/* The host's bytes may change, or are there, once these return. */
	const char *(*write)(struct gpu *, void *mem, size_t at, const void *from, size_t bytes);
	const char *(*read)(struct gpu *, void *to, void *mem, size_t at, size_t bytes);
	/* A buffer of *n bytes that the device reads by itself, and has read. */
	void	*(*stage)(struct gpu *, size_t *n, const char **why);
	/* Its n bytes behind `skip`; any number of such, and the end of them. */
	const char *(*send)(struct gpu *, void *mem, size_t at, size_t skip, size_t n);
	const char *(*sent)(struct gpu *);
	const char *(*copy)(struct gpu *, void *to, size_t to_at, void *from, size_t from_at,
		    size_t bytes);
	const char *(*call)(struct gpu *, const struct gpu_call *);
	/* What its own attention keeps in `parts`; no such: nothing. */
	size_t	(*attend_bytes)(const struct device_need *);
	const char *(*finish)(struct gpu *);
	/* The columns of a mixture's tile that its products are fastest with, of
	 * so many choices of n columns; NULL: multiply.cl's. */
	size_t	(*tile)(size_t n, size_t choices, size_t experts, bool fine);
	/* Calls for one of the codes of fine activations want the other too, as
	 * two more arguments: then one may make both. */
	bool	both;
};

/* What choosing tokens wants, for so many rows. */
struct gpu_sample {
	void		*z, *part, *state, *choice, *mark, *out;
	size_t		 rows, vocab, marks;
	const struct device_choice *sent;	/* that is there already; NULL: none */
	size_t		 most;		/* marks of a row, */
	uint32_t	 wants;		/* and flags of all */
};

/* What `codes` and `scales` are of; x: NULL is nothing. */
struct gpu_coded {
	const float	*x;
	size_t		 ld, n, cols;
	bool		 fine;
};

struct gpu {
	struct device	 d;
	const struct gpu_driver *driver;
	char		 name[256];
	uint64_t	 memory, most;	/* bytes that are free, and in one piece */
	uint64_t	 taken;
	void		*staged;	/* what stage() gave */
	struct gpu_range *range;	size_t n, cap;	/* in order of `at` */
	struct err	 first;		/* of the errors */
	bool		 failed;
	size_t		 columns;	/* of the batch, */
	size_t		 runs;		/* and of those of one sequence */
	/* reserve()'s: the batch's places, activations, mixture. */
	struct device_need need;
	void		*at, *codes, *scales;
	void		*codes2, *scales2;	/* of fine activations, the second */
	void		*mixture[GPU_MIXTURE];
	void		*parts;		/* of attention, by blocks of keys */
	void		*result;	size_t result_bytes;
	struct gpu_sample sample;
	struct gpu_coded coded;
};

/* gpu.c: the operations, and what they leave. */
extern const struct device_ops gpu_ops;
/* The first error stays; why: NULL is none. */
void	gpu_fail(struct gpu *, const char *what, const char *why);

/* gpu_memory.c */
void	*gpu_alloc(struct device *, size_t bytes, struct err *);
void	gpu_free(struct device *, void *);
int	gpu_place(struct device *, const void *, size_t bytes, struct err *);
int	gpu_place_all(struct device *, const void *const *, size_t n, size_t bytes, struct err *);
/* Bytes from a to b, which lie in one buffer, or it is an error of the device's. */
size_t	gpu_apart(struct gpu *, const void *a, const void *b);
/* Of p, in the range's buffer. */
size_t	gpu_offset(const struct gpu_range *, const void *p);
/* What a piece of memory takes. */
uint64_t gpu_takes(uint64_t bytes);
void	gpu_room(const struct device *, struct device_room *);
void	gpu_write(struct device *, void *to, const void *from, size_t bytes);
int	gpu_read(struct device *, void *to, const void *from, size_t bytes, struct err *);
void	gpu_copy(struct device *, void *to, const void *from, size_t bytes);
void	gpu_memory_release(struct gpu *);
/* The bytes that p is among; NULL: none, which is an error of the device's. */
const struct gpu_range *gpu_range(struct gpu *, const void *p);

/* gpu_upload.c */
void	*gpu_stage(struct device *, size_t *n, struct err *);
void	gpu_send(struct device *, const void *to, size_t n);
int	gpu_wait(struct device *, struct err *);

/* gpu_kernels.c */
extern const char *const gpu_kernel_names[K_KERNELS];
/* As lib/device/gpu/groups.cl calls it; NULL: it has no kernel. */
const char *gpu_type_name(const struct type *);
/* The points of a codebook type's weights; NULL: it has none. */
const uint16_t *gpu_type_grid(const struct type *, size_t *points);
/* Its dot.h flags, in words that groups.cl knows. */
void	gpu_type_flags(const struct type *, char *to, size_t room);
/* Of tables that have a place for each such type. */
int	gpu_type_slot(const struct type *);
/*
 * Items and those of a work-group, in up to three dimensions; then arguments,
 * as `form` says: p address or NULL, u unsigned, z size_t, f double for float.
 */
void	gpu_run(struct gpu *, enum gpu_kernel, const struct type *, const size_t items[3],
	    size_t group, const char *form, ...);

/* gpu_multiply.c: the points of such a type there, once. */
int	gpu_grid(struct gpu *, const struct type *, struct err *);
/* Whether products with w want codes, of how many groups. */
bool	gpu_coded(const struct mat *, size_t *groups);
void	gpu_embed(struct device *, const struct device_embed *);
void	gpu_multiply(struct device *, const struct device_product *, size_t n, bool precise);
const char *gpu_lacks(const struct device *, const struct mat *, bool precise);
/* Each w is the first expert's; n: columns of x. */
void	gpu_multiply_tiles(struct gpu *, const struct device_product *, size_t n, bool precise,
	    const struct gpu_tiles *);

/* gpu_experts.c */
const char *gpu_lacks_experts(const struct device *, const struct mat *, size_t n);
/* Bytes of each part. */
void	gpu_experts_pieces(const struct device_need *, size_t bytes[GPU_MIXTURE]);
void	gpu_route(struct device *, const struct device_route *);
void	gpu_experts(struct device *, const struct device_experts *);

/* gpu_sample.c */
int	gpu_choices(struct device *, const struct device_sample *, struct err *);
int	gpu_sample(struct device *, const struct device_sample *, struct device_chosen *,
	    struct err *);
uint64_t gpu_sample_bytes(size_t rows, size_t vocab);
int	gpu_sample_reserve(struct gpu *, size_t rows, size_t vocab, struct err *);

#endif
