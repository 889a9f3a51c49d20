/* SPDX-License-Identifier: MIT */
/*
 * floats.c -- PTX's float instructions that round to nearest, and conversions.
 *
 * A NaN that is made is the card's only one.  What is not exact (.approx, .ftz)
 * is not here, and so does not load.
 */
#include <math.h>
#include <string.h>

#include "ptx.h"

static inline float
f_of(uint32_t i)
{
	float f;

	memcpy(&f, &i, sizeof f);
	return f;
}

static inline uint32_t
of_f(float f)
{
	uint32_t i;

	memcpy(&i, &f, sizeof i);
	return i;
}

static inline double
d_of(uint64_t i)
{
	double f;

	memcpy(&f, &i, sizeof f);
	return f;
}

static inline uint64_t
of_d(double f)
{
	uint64_t i;

	memcpy(&i, &f, sizeof i);
	return i;
}

#define ONE_32(r) (r != r ? 0x7fffffffu : of_f(r))
#define ONE_64(r) (r != r ? 0xfff8000000000000u : of_d(r))
#define FLOATS(name, T, R, of, to, expr) \
static OP(name) \
{ \
	uint##R##_t *d = r##R(w, i, 0); \
	const uint##R##_t *a_ = r##R(w, i, 1), *b_ = i->o[2] < 0 ? a_ : r##R(w, i, 2), \
	    *c_ = i->o[3] < 0 ? a_ : r##R(w, i, 3); \
	EACH(T a = of(a_[l]), b = of(b_[l]), c = of(c_[l]); (void)b; (void)c; T r = (expr); \
	    d[l] = ONE_##R(r)) \
}
#define BOTH(name, e32, e64) \
	FLOATS(name##_f32, float, 32, f_of, of_f, e32) FLOATS(name##_f64, double, 64, d_of, of_d, e64)
BOTH(add, a + b, a + b)
BOTH(sub, a - b, a - b)
BOTH(mul, a * b, a * b)
BOTH(div, a / b, a / b)
BOTH(rcp, 1 / a, 1 / a)
BOTH(sqrt, sqrtf(a), sqrt(a))
BOTH(fma, fmaf(a, b, c), fma(a, b, c))
/* A number is preferred to a NaN, and -0 is below 0. */
#define LESS(a, b) (a != a ? b : b != b ? a : a < b ? a : b < a ? b : signbit(a) ? a : b)
#define MORE(a, b) (a != a ? b : b != b ? a : a > b ? a : b > a ? b : signbit(a) ? b : a)
BOTH(min, LESS(a, b), LESS(a, b))
BOTH(max, MORE(a, b), MORE(a, b))
#define OR_NAN(x) (a != a ? a : b != b ? b : x)
BOTH(min_nan, OR_NAN(LESS(a, b)), OR_NAN(LESS(a, b)))
BOTH(max_nan, OR_NAN(MORE(a, b)), OR_NAN(MORE(a, b)))

#define SIGN(name, R, expr) \
static OP(name) \
{ \
	uint##R##_t *d = r##R(w, i, 0); \
	const uint##R##_t *a_ = r##R(w, i, 1), *b_ = i->o[2] < 0 ? a_ : r##R(w, i, 2); \
	EACH(uint##R##_t a = a_[l], b = b_[l]; (void)b; d[l] = (expr)) \
}
SIGN(neg_f32, 32, a ^ 0x80000000u)
SIGN(abs_f32, 32, a & 0x7fffffffu)
SIGN(neg_f64, 64, a ^ 0x8000000000000000u)
SIGN(abs_f64, 64, a & 0x7fffffffffffffffu)
/* The sign of a on b. */
SIGN(copysign_f32, 32, (a & 0x80000000u) | (b & 0x7fffffffu))

#define COMPARE(name, T, R, of, expr) \
static OP(name) \
{ \
	static const uint32_t bit[WARP] = { \
		1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, \
		1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21, 1u << 22, 1u << 23, \
		1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31 }; \
	const uint##R##_t *a_ = r##R(w, i, 2), *b_ = r##R(w, i, 3); \
	uint32_t p = 0, q, *to; \
	EACH(T a = of(a_[l]), b = of(b_[l]); p |= (expr) ? bit[l] : 0) \
	q = ~p; \
	if (i->o[4] >= 0) { \
		uint32_t c = *r32(w, i, 4) ^ (i->n ? EVERY : 0); \
		p = i->imm == 0 ? p & c : i->imm == 1 ? p | c : p ^ c; \
		q = i->imm == 0 ? q & c : i->imm == 1 ? q | c : q ^ c; \
	} \
	to = r32(w, i, 0); \
	*to = (*to & ~lanes) | (p & lanes); \
	if (i->o[1] >= 0) { \
		to = r32(w, i, 1); \
		*to = (*to & ~lanes) | (q & lanes); \
	} \
}
#define COMPARISONS(name, expr) \
	COMPARE(setp_##name##_f32, float, 32, f_of, expr) COMPARE(setp_##name##_f64, double, 64, d_of, expr)
#define APART (a != a || b != b)
COMPARISONS(eq, a == b)
COMPARISONS(ne, a < b || a > b)
COMPARISONS(lt, a < b)
COMPARISONS(le, a <= b)
COMPARISONS(gt, a > b)
COMPARISONS(ge, a >= b)
COMPARISONS(equ, a == b || APART)
COMPARISONS(neu, !(a == b))
COMPARISONS(ltu, !(a >= b))
COMPARISONS(leu, !(a > b))
COMPARISONS(gtu, !(a <= b))
COMPARISONS(geu, !(a < b))
COMPARISONS(num, !APART)
COMPARISONS(nan, APART)

/* Half, and brain, by rounding to nearest even. */
static float
from_half(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;

	if (e == 31)
		return f_of(m ? 0x7fffffff : sign | 0x7f800000);
	if (e == 0)
		return f_of(of_f((float)m * 0x1p-24f) | sign);
	return f_of(sign | (e + 112) << 23 | m << 13);
}

static uint16_t
to_half(double x)
{
	uint16_t sign = signbit(x) ? 0x8000 : 0;
	int e;
	double a = fabs(x), unit;

	if (x != x)
		return 0x7fff;
	if (a >= 65520)
		return sign | 0x7c00;
	if (a < 0x1p-14)
		return sign | (uint16_t)nearbyint(a * 0x1p24);
	frexp(a, &e);
	unit = ldexp(1, e - 11);
	a = nearbyint(a / unit);	/* 1024 .. 2048 */
	return (uint16_t)(sign | ((unsigned)(e + 13) * 1024 + (unsigned)a));
}

static uint16_t
to_brain(float x)
{
	uint32_t i = of_f(x);

	if (x != x)
		return 0x7fff;
	return (uint16_t)((i + 0x7fff + (i >> 16 & 1)) >> 16);
}

#define HALVES(name, expr) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	uint32_t *d = r32(w, i, 0); \
	const uint32_t *a_ = r32(w, i, 1), *b_ = r32(w, i, 2), *c_ = i->o[3] < 0 ? a_ : r32(w, i, 3); \
	EACH(uint32_t v = 0; \
	    for (int k = 0; k < i->n; k += 16) { \
		double a = from_half((uint16_t)(a_[l] >> k)), b = from_half((uint16_t)(b_[l] >> k)); \
		double c = from_half((uint16_t)(c_[l] >> k)); \
		(void)c; \
		v |= (uint32_t)to_half(expr) << k; \
	    } \
	    d[l] = v) \
}
HALVES(add_f16, a + b)
HALVES(sub_f16, a - b)
HALVES(mul_f16, a * b)

/* Conversions by way of a long double, which holds every value of every type;
 * those that kernels are full of have their own below. */
enum type { S8, U8, S16, U16, S32, U32, S64, U64, F16, BF16, F32, F64, TYPES };
static const char *const type_names[TYPES] = {
	"s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64", "f16", "bf16", "f32", "f64",
};
enum round { NEAREST, ZERO, DOWN, UP, PLAIN_ROUND };

static int64_t
whole(uint64_t a, int type)
{
	switch (type) {
	case S8: return (int8_t)a;
	case U8: return (uint8_t)a;
	case S16: return (int16_t)a;
	case U16: return (uint16_t)a;
	case S32: return (int32_t)a;
	case U32: return (uint32_t)a;
	}
	return (int64_t)a;
}

static double
real(uint64_t a, int type)
{
	switch (type) {
	case F16: return from_half((uint16_t)a);
	case BF16: return f_of((uint32_t)a << 16);
	case F32: return f_of((uint32_t)a);
	}
	return d_of(a);
}

static uint64_t
clamp(double x, int type)
{
	static const double low[] = { -128, 0, -32768, 0, -0x1p31, 0, -0x1p63, 0 };
	static const double high[] = { 128, 256, 32768, 65536, 0x1p31, 0x1p32, 0x1p63, 0x1p64 };
	static const uint64_t least[] = { (uint64_t)-128, 0, (uint64_t)-32768, 0, (uint64_t)INT32_MIN, 0,
		(uint64_t)INT64_MIN, 0 };
	static const uint64_t most[] = { 127, 255, 32767, 65535, INT32_MAX, UINT32_MAX, INT64_MAX,
		UINT64_MAX };

	/* NaN is nothing, in 64 bits the top. */
	if (x != x)
		return type >= S64 ? (uint64_t)1 << 63 : 0;
	if (x < low[type])
		return least[type];
	if (x >= high[type])
		return most[type];
	return type == U64 ? (uint64_t)x : (uint64_t)(int64_t)x;
}

static double
rounded(double x, int how)
{
	switch (how) {
	case NEAREST: return nearbyint(x);
	case ZERO: return trunc(x);
	case DOWN: return floor(x);
	case UP: return ceil(x);
	}
	return x;
}

static uint64_t
saturated(int64_t v, int from, int to)
{
	static const int64_t low[] = { -128, 0, -32768, 0, INT32_MIN, 0, INT64_MIN, 0 };
	static const uint64_t high[] = { 127, 255, 32767, 65535, INT32_MAX, UINT32_MAX, INT64_MAX,
		UINT64_MAX };

	if (from == U64)
		return (uint64_t)v > high[to] ? high[to] : (uint64_t)v;
	if (v < low[to])
		return (uint64_t)low[to];
	return v >= 0 && (uint64_t)v > high[to] ? high[to] : (uint64_t)v;
}

static uint64_t
convert(uint64_t a, int from, int to, int how, bool sat)
{
	double x;

	if (from < F16) {
		int64_t v = whole(a, from);

		if (to < F16)
			return sat ? saturated(v, from, to) : (uint64_t)whole((uint64_t)v, to);
		if (to == F64)
			return of_d(from == U64 ? (double)(uint64_t)v : (double)v);
		/* At once, not by way of a double. */
		if (to == F32)
			return of_f(from == U64 ? (float)(uint64_t)v : (float)v);
		x = (double)v;		/* so large that an f16 has no use for its last bits */
		return to == F16 ? to_half(x) : to_brain((float)x);
	}
	x = real(a, from);
	if (to < F16)
		return clamp(rounded(x, how), to);
	if (from == to)
		x = rounded(x, how);
	if (sat)
		x = x > 0 ? x < 1 ? x : 1 : 0;
	if (to == F16)
		return to_half(x);
	if (to == BF16)
		return to_brain((float)x);
	if (x != x)
		return to == F32 ? 0x7fffffff : 0x7fffffffffffffff;
	return to == F32 ? of_f((float)x) : of_d(x);
}

static void
cvt_any(struct warp *w, const struct ins *i, uint32_t lanes)
{
	int to = i->imm & 15, from = i->imm >> 4 & 15, how = i->imm >> 8 & 7;
	bool sat = i->imm >> 11 & 1;

	for (uint32_t left = lanes; left; left &= left - 1) {
		int l = __builtin_ctz(left);
		uint64_t a = i->n & 1 ? r64(w, i, 1)[l] : r32(w, i, 1)[l];
		uint64_t v = convert(a, from, to, how, sat);

		/* A wider register has the sign, or nothing, in front. */
		if (i->n & 2)
			r64(w, i, 0)[l] = to < F16 ? (uint64_t)whole(v, to) : v;
		else
			r32(w, i, 0)[l] = to < F16 ? (uint32_t)whole(v, to) : (uint32_t)v;
	}
}

#define CVT(name, RD, RA, TA, expr) \
static OP(name) \
{ \
	uint##RD##_t *d = r##RD(w, i, 0); \
	const uint##RA##_t *a_ = r##RA(w, i, 1); \
	EACH(TA a = (TA)a_[l]; d[l] = (uint##RD##_t)(expr)) \
}
CVT(cvt_32_s8, 32, 32, int8_t, (int32_t)a)
CVT(cvt_32_u8, 32, 32, uint8_t, a)
CVT(cvt_32_s16, 32, 32, int16_t, (int32_t)a)
CVT(cvt_32_u16, 32, 32, uint16_t, a)
CVT(cvt_64_u32, 64, 32, uint32_t, a)
CVT(cvt_64_s32, 64, 32, int32_t, (int64_t)a)
CVT(cvt_64_u16, 64, 32, uint16_t, a)
CVT(cvt_32_64, 32, 64, uint64_t, a)
CVT(cvt_f32_s32, 32, 32, int32_t, of_f((float)a))
CVT(cvt_f32_u32, 32, 32, uint32_t, of_f((float)a))
CVT(cvt_f32_s16, 32, 32, int16_t, of_f((float)a))
CVT(cvt_f32_u16, 32, 32, uint16_t, of_f((float)a))
CVT(cvt_f32_f16, 32, 32, uint16_t, of_f(from_half(a)))

static const struct { uint8_t to, from, wide; ptx_op *op; } fast[] = {
	{ S32, S8, 0, cvt_32_s8 }, { U32, S8, 0, cvt_32_s8 }, { S32, U8, 0, cvt_32_u8 },
	{ U32, U8, 0, cvt_32_u8 }, { S32, S16, 0, cvt_32_s16 }, { U32, S16, 0, cvt_32_s16 },
	{ S32, U16, 0, cvt_32_u16 }, { U32, U16, 0, cvt_32_u16 }, { U16, U32, 0, cvt_32_u16 },
	{ S16, U32, 0, cvt_32_u16 }, { U16, S32, 0, cvt_32_u16 }, { S64, S32, 2, cvt_64_s32 },
	{ U64, S32, 2, cvt_64_s32 }, { S64, U32, 2, cvt_64_u32 }, { U64, U32, 2, cvt_64_u32 },
	{ U64, U16, 2, cvt_64_u16 }, { U32, U64, 1, cvt_32_64 }, { S32, U64, 1, cvt_32_64 },
	{ U32, S64, 1, cvt_32_64 }, { F32, S32, 0, cvt_f32_s32 }, { F32, U32, 0, cvt_f32_u32 },
	{ F32, S16, 0, cvt_f32_s16 }, { F32, U16, 0, cvt_f32_u16 }, { F32, F16, 0, cvt_f32_f16 },
};

/* The function and its variant; NULL: there is no such conversion, or it needs
 * a rounding that is not there. */
ptx_op *
ptx_convert(struct ins *i, const char *to, const char *from, const char *round, bool sat)
{
	static const char *const whole_names[] = { "rni", "rzi", "rmi", "rpi" };
	int t = 0, f = 0, how = PLAIN_ROUND;

	while (t < TYPES && strcmp(type_names[t], to) != 0)
		t++;
	while (f < TYPES && strcmp(type_names[f], from) != 0)
		f++;
	if (t == TYPES || f == TYPES)
		return NULL;
	for (int k = 0; k < 4; k++)
		if (!strcmp(round, whole_names[k]))
			how = k;
	/* Where bits are lost the text must say how: to nearest, or to whole. */
	if (t >= F16 && (f < F16 || t < f)) {
		if (strcmp(round, "rn") != 0)
			return NULL;
	} else if (f >= F16 && t < F16) {
		if (how == PLAIN_ROUND)
			return NULL;
	} else if (round[0] && !(f == t && f >= F16 && how != PLAIN_ROUND)) {
		return NULL;
	}
	i->imm = t | f << 4 | how << 8 | sat << 11;
	for (size_t k = 0; k < sizeof fast / sizeof *fast && !sat; k++)
		if (fast[k].to == t && fast[k].from == f && fast[k].wide == i->n)
			return fast[k].op;
	return cvt_any;
}

/* Two halves, the first above. */
#define PAIR(name, to) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	uint32_t *d = r32(w, i, 0), *a = r32(w, i, 1), *b = r32(w, i, 2); \
	EACH(d[l] = (uint32_t)to(f_of(a[l])) << 16 | to(f_of(b[l]))) \
}
PAIR(cvt_f16x2, to_half)
PAIR(cvt_bf16x2, to_brain)

#define PLAIN(name, wants, f) { name, wants, f, PTX_PLAIN, 0 }
#define TWO(name, f, n) \
	PLAIN(name ".f32", &"ffff"[3 - n], f##_f32), PLAIN(name ".f64", &"dddd"[3 - n], f##_f64)
#define COMPARED(c) \
	PLAIN("setp." #c ".f32", "PPff", setp_##c##_f32), PLAIN("setp." #c ".f64", "PPdd", setp_##c##_f64)
const struct ptx_entry ptx_floats[] = {
	TWO("add.rn", add, 2), TWO("sub.rn", sub, 2), TWO("mul.rn", mul, 2), TWO("add", add, 2),
	TWO("sub", sub, 2), TWO("mul", mul, 2), TWO("div.rn", div, 2), TWO("rcp.rn", rcp, 1),
	TWO("sqrt.rn", sqrt, 1), TWO("fma.rn", fma, 3), TWO("min", min, 2), TWO("max", max, 2),
	TWO("min.NaN", min_nan, 2), TWO("max.NaN", max_nan, 2), TWO("neg", neg, 1), TWO("abs", abs, 1),
	PLAIN("copysign.f32", "fff", copysign_f32), PLAIN("copysign.b32", "fff", copysign_f32),
	COMPARED(eq), COMPARED(ne), COMPARED(lt), COMPARED(le), COMPARED(gt), COMPARED(ge), COMPARED(equ),
	COMPARED(neu), COMPARED(ltu), COMPARED(leu), COMPARED(gtu), COMPARED(geu), COMPARED(num),
	COMPARED(nan),
	PLAIN("cvt.rn.f16x2.f32", "Wff", cvt_f16x2), PLAIN("cvt.rn.bf16x2.f32", "Wff", cvt_bf16x2),
	PLAIN("add.rn.f16", "eee", add_f16), PLAIN("sub.rn.f16", "eee", sub_f16),
	PLAIN("mul.rn.f16", "eee", mul_f16), PLAIN("add.rn.f16x2", "WWW", add_f16),
	PLAIN("sub.rn.f16x2", "WWW", sub_f16), PLAIN("mul.rn.f16x2", "WWW", mul_f16),
	{ NULL, NULL, NULL, PTX_PLAIN, 0 }
};
