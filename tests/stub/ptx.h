/* SPDX-License-Identifier: MIT */
/*
 * ptx.h -- PTX text decoded and run on the host: what a driver without a card
 * does with a module.
 *
 * A warp's registers are columns of 32 lanes; an instruction is a function of
 * the warp and of the lanes that execute it.  Each thread has its own place in
 * the code: lanes at the lowest place run, so that those who went apart meet
 * again; an instruction that wants lanes together holds those that came early.
 *
 * What PTX leaves undefined fails here: an address outside every allocation, a
 * misaligned one, lanes that wait for each other at different places.
 */
#ifndef STUB_PTX_H
#define STUB_PTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WARP = 32, PTX_OPERANDS = 16, PTX_BARRIERS = 16 };
#define EVERY 0xffffffffu

/* Statuses of the driver, as far as kernels cause them. */
enum {
	CUDA_INVALID_IMAGE = 200, CUDA_NO_BINARY = 209, CUDA_INVALID_PTX = 218, CUDA_OLD_PTX = 222,
	CUDA_ILLEGAL_ADDRESS = 700, CUDA_ILLEGAL_INSTRUCTION = 715, CUDA_MISALIGNED_ADDRESS = 716,
	CUDA_INVALID_SPACE = 717, CUDA_LAUNCH_FAILED = 719,
};

enum ptx_space { PTX_GENERIC, PTX_GLOBAL, PTX_SHARED, PTX_CONST, PTX_PARAM, PTX_LOCAL };
/* Where shared and local memory lie among generic addresses. */
#define PTX_SHARED_WINDOW 0x100000000u
#define PTX_LOCAL_WINDOW  0x200000000u

struct warp;
struct ins;
typedef void ptx_op(struct warp *, const struct ins *, uint32_t lanes);

/* What the executor does itself, and who must be there before it goes on. */
enum ptx_kind {
	PTX_PLAIN, PTX_BRANCH, PTX_EXIT, PTX_BARRIER,	/* all that live */
	PTX_MASKED,		/* the lanes that operand `mask` names */
	PTX_WHOLE,		/* a whole warp */
};

struct ins {
	ptx_op		*op;
	int64_t		 imm;		/* of an address; where a branch goes; a variant */
	int32_t		 o[PTX_OPERANDS];	/* where they are among a warp's registers; -1: none */
	int32_t		 guard;		/* a predicate; -1: none */
	uint32_t	 line;		/* of the text, from 1 */
	uint32_t	 slot;		/* of an instruction that goes to memory */
	uint8_t		 kind, space, n, mask;
	bool		 unless;	/* the guard is to be false */
	bool		 narrow;	/* an address of 32 bits */
};

/* What each register of a launch holds before it begins. */
enum ptx_fill {
	PTX_32, PTX_64, PTX_PRED,	/* v */
	PTX_SHARED_SIZE,		/* of 32 bits: the block's bytes of it */
	PTX_TID_X, PTX_TID_Y, PTX_TID_Z, PTX_LANE, PTX_WARP, PTX_EQ, PTX_LT, PTX_LE, PTX_GT, PTX_GE,
	PTX_NTID_X, PTX_NTID_Y, PTX_NTID_Z, PTX_NCTAID_X, PTX_NCTAID_Y, PTX_NCTAID_Z,
	PTX_CTAID_X, PTX_CTAID_Y, PTX_CTAID_Z,
};
struct ptx_constant {
	int32_t		 at;
	enum ptx_fill	 kind;
	uint64_t	 v;
};

struct ptx_param {
	char		*name;
	uint32_t	 at, bytes;
};

struct ptx_function {
	char		*name;
	struct ptx_module *module;
	struct ptx_param *param;
	uint32_t	 params, param_bytes;
	struct ins	*code;
	uint32_t	 instructions, slots;
	struct ptx_constant *constant;
	uint32_t	 constants;
	int32_t		 registers;	/* bytes of a warp */
	uint32_t	 shared, shared_align, local;	/* bytes of a block; of a thread */
	uint32_t	 threads;	/* at most, in a block; exactly, if `exact` */
	bool		 exact;
	uint32_t	 dynamic;	/* shared memory that may be added at a launch */
	struct ptx_function *next;
};

struct ptx_module {
	char		*text;
	unsigned	 version, target;	/* 70 for 7.0, 80 for sm_80 */
	struct ptx_function *first;
	struct ptx_symbol *symbol;	/* variables: parser's */
	uint32_t	 symbols;
};

/* NULL, with a status and a line of why. */
struct ptx_module *ptx_load(const char *text, unsigned arch, int driver, int *status, char *why,
    size_t n);
void	ptx_unload(struct ptx_module *);
struct ptx_function *ptx_find(struct ptx_module *, const char *name);
/* A variable's address and bytes; 0: none of that name. */
uint64_t ptx_variable(struct ptx_module *, const char *name, size_t *bytes);

struct ptx_launch {
	const struct ptx_function *f;
	unsigned	 grid[3], block[3], dynamic;	/* ... bytes of shared memory */
	const unsigned char *param;
};
/* A status; why goes to standard error. */
int	ptx_run(const struct ptx_launch *);

/* Memory that kernels reach: memory.c. */
enum ptx_owner { PTX_DEVICE, PTX_CONSTANT, PTX_HOST };
struct ptx_range {
	uint64_t	 start;
	size_t		 bytes;
	unsigned char	*host;
	enum ptx_owner	 owner;
};
uint64_t ptx_allocate(size_t bytes, enum ptx_owner);
int	ptx_reveal(void *host, size_t bytes);		/* at its own address */
void	ptx_put_away(void *, size_t bytes);		/* written, and not looked at soon */
int	ptx_free(uint64_t start);			/* nonzero: there is none */
/* The range that has all these bytes, or NULL. */
const struct ptx_range *ptx_range(uint64_t at, size_t bytes);

/* A block that runs, and one of its warps: for the operations' files. */
struct block {
	const struct ptx_launch *launch;
	unsigned char	*shared;
	uint32_t	 shared_bytes;
	unsigned	 index[3];
	struct ptx_range *hit;		/* by slot: where it went last */
	struct warp	*warp;
	uint32_t	 warps;
	int		 status;
	uint32_t	 expected[PTX_BARRIERS], arrived[PTX_BARRIERS];
	struct ptx_trace *trace;	/* by byte of shared memory, if races are looked for */
	uint32_t	 clock, opened;	/* barriers so far; at the last of the block */
};
struct copy {			/* cp.async: on its way */
	const struct ins *from;
	unsigned char	*to, bytes[16];
	uint32_t	 group;
	uint8_t		 n, lane;
};
struct warp {
	unsigned char	*r;
	struct block	*block;
	uint32_t	 number, alive, held;
	uint32_t	 at[WARP];
	int		 barrier;	/* where it waits; -1: it does not */
	unsigned char	*local;
	struct copy	*copy;
	uint32_t	 copies, room, group[WARP];
	uint32_t	 synced;	/* when it last had a barrier */
	uint64_t	 did;		/* instructions, whoever of it they were for */
};

static inline uint32_t *
r32(struct warp *w, const struct ins *i, int k)
{
	return (uint32_t *)(w->r + i->o[k]);
}

static inline uint64_t *
r64(struct warp *w, const struct ins *i, int k)
{
	return (uint64_t *)(w->r + i->o[k]);
}

/* The kernel ends, with the first lane's line on standard error. */
void	ptx_fault(struct warp *, const struct ins *, int status, const char *format, ...);

/* Functions by name, with the operands they want: a letter each, of which
 * decode.c tells more. */
struct ptx_entry {
	const char	*name, *wants;
	ptx_op		*op;
	enum ptx_kind	 kind;
	uint8_t		 mask;		/* which operand */
};
extern const struct ptx_entry ptx_integers[], ptx_floats[], ptx_lanes[];
ptx_op	*ptx_convert(struct ins *, const char *to, const char *from, const char *round, bool sat);
ptx_op	*ptx_loader(int bytes, bool is_signed, bool wide), *ptx_storer(int bytes, bool wide);
ptx_op	*ptx_atomic(const char *what, const char *type);
ptx_op	ptx_load_param, ptx_copy_async, ptx_copy_commit, ptx_copy_wait, ptx_copy_wait_all,
	ptx_ldmatrix, ptx_nothing, ptx_mma, ptx_mma_bf16, ptx_mov_32, ptx_mov_64, ptx_mov_pred, ptx_pack, ptx_unpack,
	ptx_to_window, ptx_from_window, ptx_barrier;
/* races.c: lanes come to bytes of shared memory, if these are such; barriers. */
struct ptx_trace;
size_t	ptx_trace_bytes(void);
void	ptx_trace(struct warp *, const struct ins *, uint32_t lanes, unsigned char *const *p, unsigned n,
    bool write);
void	ptx_trace_open(struct block *);
ptx_op	ptx_warp_sync;
/* Copies that do not belong to a lane's last n groups arrive. */
void	ptx_arrive(struct warp *, uint32_t lanes, uint32_t n);

/* Lane by lane, whole warps in a loop that a compiler can widen. */
#ifdef __clang__
#define ALIKE
#else
#define ALIKE _Pragma("GCC ivdep")
#endif
#define EACH(...) { \
	if (lanes == EVERY) { \
		ALIKE for (int l = 0; l < WARP; l++) { __VA_ARGS__; } \
	} else { \
		for (uint32_t left_ = lanes; left_; left_ &= left_ - 1) { \
			int l = __builtin_ctz(left_); \
			__VA_ARGS__; \
		} \
	} }

#if defined(__x86_64__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("arch=haswell", "default")))
#else
#define WIDE
#endif
#define OP(name) WIDE void name(struct warp *w, const struct ins *i, uint32_t lanes)

#endif
