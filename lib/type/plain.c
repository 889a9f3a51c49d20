/* SPDX-License-Identifier: MIT */
/*
 * plain.c -- types of one element a block: floats, and what is only passed
 * through.
 */
#include "block.h"

uint16_t
type_f16_from(float f)
{
	return f16_from(f);
}

float
type_f16_to(uint16_t h)
{
	return f16_to(h);
}

uint16_t
type_bf16_from(float f)
{
	uint32_t u = f32_bits(f);

	if ((u & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

float
type_bf16_to(uint16_t h)
{
	return bits_f32((uint32_t)h << 16);
}

static void
f32_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = bits_f32(le32_get(p + 4 * i));
}

static void
f32_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	size_t i;

	(void)qw;
	for (i = 0; i < n; i++)
		le32_put(p + 4 * i, f32_bits(x[i]));
}

const struct type type_f32 = {
	.name = "F32", .ggml = 0, .safetensors = "F32",
	.block = 1, .bytes = 4, .flags = TYPE_PLAIN,
	.to_f32 = f32_decode, .from_f32 = f32_encode,
};

static void
f16_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = f16_get(p + 2 * i);
}

static void
f16_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	size_t i;

	(void)qw;
	for (i = 0; i < n; i++)
		f16_put(p + 2 * i, x[i]);
}

const struct type type_f16 = {
	.name = "F16", .ggml = 1, .safetensors = "F16",
	.block = 1, .bytes = 2, .flags = TYPE_PLAIN,
	.to_f32 = f16_decode, .from_f32 = f16_encode,
};

static void
bf16_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = type_bf16_to(le16_get(p + 2 * i));
}

static void
bf16_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	size_t i;

	(void)qw;
	for (i = 0; i < n; i++)
		le16_put(p + 2 * i, type_bf16_from(x[i]));
}

const struct type type_bf16 = {
	.name = "BF16", .ggml = 30, .safetensors = "BF16",
	.block = 1, .bytes = 2, .flags = TYPE_PLAIN,
	.to_f32 = bf16_decode, .from_f32 = bf16_encode,
};

static void
f64_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint64_t u;
	double d;
	size_t i;

	for (i = 0; i < n; i++, p += 8) {
		u = le32_get(p) | (uint64_t)le32_get(p + 4) << 32;
		memcpy(&d, &u, sizeof d);
		dst[i] = (float)d;
	}
}

static void
f64_encode(void *dst, const float *x, size_t n, const float *qw)
{
	uint8_t *p = dst;
	uint64_t u;
	double d;
	size_t i;

	(void)qw;
	for (i = 0; i < n; i++, p += 8) {
		d = (double)x[i];
		memcpy(&u, &d, sizeof u);
		le32_put(p, (uint32_t)u);
		le32_put(p + 4, (uint32_t)(u >> 32));
	}
}

const struct type type_f64 = {
	.name = "F64", .ggml = 28, .safetensors = "F64",
	.block = 1, .bytes = 8, .flags = TYPE_PLAIN,
	.to_f32 = f64_decode, .from_f32 = f64_encode,
};

/* Bias 7, no infinities, only 0x7f and 0xff are NaN. */
static void
f8_e4m3_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	uint32_t sign, rest;
	size_t i;

	for (i = 0; i < n; i++) {
		sign = (uint32_t)(p[i] & 0x80) << 24;
		rest = p[i] & 0x7f;
		if (rest == 0x7f)
			dst[i] = bits_f32(sign | 0x7fc00000);
		else if (rest < 8)
			dst[i] = bits_f32(sign |
			    f32_bits((float)rest * 0x1p-9f));
		else
			dst[i] = bits_f32(sign |
			    ((rest << 20) + (120u << 23)));
	}
}

const struct type type_f8_e4m3 = {
	.name = "F8_E4M3", .ggml = -1, .safetensors = "F8_E4M3",
	.block = 1, .bytes = 1, .to_f32 = f8_e4m3_decode,
};

/* The upper half of an f16. */
static void
f8_e5m2_decode(float *dst, const void *src, size_t n)
{
	const uint8_t *p = src;
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = f16_to((uint16_t)(p[i] << 8));
}

const struct type type_f8_e5m2 = {
	.name = "F8_E5M2", .ggml = -1, .safetensors = "F8_E5M2",
	.block = 1, .bytes = 1, .to_f32 = f8_e5m2_decode,
};

#define PASS(id, str, number, size, flag) \
const struct type type_##id = { \
	.name = str, .ggml = number, .safetensors = str, \
	.block = 1, .bytes = size, .flags = flag, \
}

PASS(i8, "I8", 24, 1, TYPE_INTEGER);
PASS(i16, "I16", 25, 2, TYPE_INTEGER);
PASS(i32, "I32", 26, 4, TYPE_INTEGER);
PASS(i64, "I64", 27, 8, TYPE_INTEGER);
PASS(u8, "U8", -1, 1, TYPE_INTEGER);
PASS(u16, "U16", -1, 2, TYPE_INTEGER);
PASS(u32, "U32", -1, 4, TYPE_INTEGER);
PASS(u64, "U64", -1, 8, TYPE_INTEGER);
PASS(bool, "BOOL", -1, 1, TYPE_INTEGER);
/* Not integers, yet nothing here knows how to read them. */
PASS(f8_e8m0, "F8_E8M0", -1, 1, 0);
PASS(f8_e4m3fnuz, "F8_E4M3FNUZ", -1, 1, 0);
PASS(f8_e5m2fnuz, "F8_E5M2FNUZ", -1, 1, 0);
PASS(c64, "C64", -1, 8, 0);
