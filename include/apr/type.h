/* SPDX-License-Identifier: MIT */
/*
 * type.h -- number types: what a block is, and how to go to and from f32.
 *
 * One file a type (or a family that shares its search) in lib/type/, each a
 * `const struct type type_NAME`; lib/type/type.c is the table.  Layouts and
 * reference algorithms are ggml's, and their output is ggml's to the byte;
 * apr_q4 and apr_q8 are aprender's, lattice_q4 is lattice's.
 */
#ifndef APR_TYPE_H
#define APR_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How hard an encoder looks: for the reference's bytes, for a smaller error
 * than the reference's, or not at all, as aprender. */
enum effort { EFFORT_REFERENCE, EFFORT_HIGH, EFFORT_APR };

typedef void type_decode(float *dst, const void *src, size_t n);
typedef void type_encode(void *dst, const float *src, size_t n, const float *qw);

enum {
	TYPE_INTEGER = 1,	/* passed through, never converted */
	TYPE_FLAT = 2,		/* blocks run over row ends (apr_q4, lattice_q4) */
	TYPE_WHOLE = 4,		/* one scale for the whole tensor (apr_q8) */
	TYPE_PLAIN = 8,		/* F32 F16 BF16 F64: one element a block */
	TYPE_ROW = 16,		/* with weights, from_f32 wants a row at once */
};

struct type {
	const char	*name;		/* as manifests spell it: "Q4_K" */
	int		 ggml;		/* ggml's number, -1: it has none */
	const char	*safetensors;	/* safetensors' dtype, NULL: none */
	uint16_t	 block;		/* elements in a block */
	uint16_t	 bytes;		/* bytes in a block */
	unsigned	 flags;
	/*
	 * Decode, encode n elements.  n is a multiple of block, except for
	 * TYPE_FLAT, whose last block may be short.  NULL: cannot.
	 * Buffers do not overlap and may be unaligned on the typed side.
	 * from_f32 takes a run of blocks of one row, or with TYPE_ROW and qw
	 * all of it: qw is its columns' importance weights, n of them, or
	 * NULL.  TYPE_WHOLE types have neither, see type_q8_*.
	 */
	type_decode	*to_f32;
	type_encode	*from_f32;	/* the scalar reference */
	type_encode	*effort[3];	/* from_f32 for EFFORT_HIGH, EFFORT_APR */
};

/* The fastest code here for what to_f32 and from_f32 (or another effort) do;
 * NULL: there is none. */
type_decode *type_decoder(const struct type *);
type_encode *type_encoder(const struct type *, enum effort);

/* The same of type_q8_from_f32 and type_q8_to_f32. */
typedef void type_q8_encode(int8_t *dst, const float *src, size_t n, float scale);
typedef void type_q8_decode(float *dst, const int8_t *src, size_t n, float scale);
type_q8_encode *type_q8_encoder(void);
type_q8_decode *type_q8_decoder(void);
/* The largest |x|, 0: there is none; NaN counts as larger than anything. */
float	type_absmax(const float *x, size_t n);

/* What is between n values before (x) and after (y), in F64: sums of x^2,
 * y^2 and (x-y)^2, the largest |x-y|.  One order of sums, on any processor:
 * value i is in lane i % 8, lanes are added as a tree. */
struct type_errors {
	double	xx, yy, dd, max;
};
struct type_errors type_errors(const float *x, const float *y, size_t n);

/* All types, NULL at the end. */
extern const struct type *const types[];

/* By name in any case, underscores optional ("q4k" is Q4_K); NULL: none. */
const struct type *type_by_name(const char *);
const struct type *type_by_ggml(uint32_t);
const struct type *type_by_safetensors(const char *);
/* general.file_type of a model that is mostly this: llama-quantize's number of
 * the mix called like it, and below TYPE_FILE_TYPES; -1: there is none. */
enum { TYPE_FILE_TYPES = 64 };
int	type_file_type(const struct type *);

/* The usual suspects. */
extern const struct type type_f32, type_f16, type_bf16, type_f64,
    type_apr_q4, type_apr_q8, type_lattice_q4;

/* apr_q8 is 4 bytes of f32 scale, then n int8: the scale from the largest
 * |x| of the tensor, and the values, n at a time. */
float	type_q8_scale(float absmax);
void	type_q8_from_f32(int8_t *dst, const float *src, size_t n, float scale);
void	type_q8_to_f32(float *dst, const int8_t *src, size_t n, float scale);

/* IEEE half, bfloat: to nearest even; NaN to the canonical 0x7e00 and to
 * the quieted upper half. */
uint16_t type_f16_from(float);
float	 type_f16_to(uint16_t);
uint16_t type_bf16_from(float);
float	 type_bf16_to(uint16_t);

#endif
