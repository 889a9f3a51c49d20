/* SPDX-License-Identifier: MIT */
/* integers.c -- PTX's integer, bit and comparison instructions. */
#include "ptx.h"

#define D32 uint32_t *d = r32(w, i, 0)
#define D64 uint64_t *d = r64(w, i, 0)
#define A32(k, x) const uint32_t *x##_ = r32(w, i, k)
#define A64(k, x) const uint64_t *x##_ = r64(w, i, k)

/* A register of 16 bits is the low half of one of 32. */
#define UNARY(name, R, TA, RA, expr) \
static OP(name) \
{ \
	D##R; A##RA(1, a); \
	EACH(TA a = (TA)a_[l]; d[l] = (uint##R##_t)(expr)) \
}
#define BINARY(name, R, TA, RA, TB, RB, expr) \
static OP(name) \
{ \
	D##R; A##RA(1, a); A##RB(2, b); \
	EACH(TA a = (TA)a_[l]; TB b = (TB)b_[l]; d[l] = (uint##R##_t)(expr)) \
}
#define TERNARY(name, R, TA, RA, TB, RB, TC, RC, expr) \
static OP(name) \
{ \
	D##R; A##RA(1, a); A##RB(2, b); A##RC(3, c); \
	EACH(TA a = (TA)a_[l]; TB b = (TB)b_[l]; TC c = (TC)c_[l]; d[l] = (uint##R##_t)(expr)) \
}

#define SAME(name, T, R, expr) BINARY(name, R, T, R, T, R, expr)
/* What differs by neither sign nor width but in the width of the registers. */
#define BY_WIDTH(name, expr) \
	SAME(name##_16, uint16_t, 32, (uint16_t)(expr)) SAME(name##_32, uint32_t, 32, expr) \
	SAME(name##_64, uint64_t, 64, expr)
#define BY_TYPE(name, expr) \
	SAME(name##_u16, uint16_t, 32, (uint16_t)(expr)) SAME(name##_s16, int16_t, 32, (uint16_t)(expr)) \
	SAME(name##_u32, uint32_t, 32, expr) SAME(name##_s32, int32_t, 32, expr) \
	SAME(name##_u64, uint64_t, 64, expr) SAME(name##_s64, int64_t, 64, expr)

BY_WIDTH(add, a + b)
BY_WIDTH(sub, a - b)
BY_WIDTH(and, a & b)
BY_WIDTH(or, a | b)
BY_WIDTH(xor, a ^ b)
BY_TYPE(min, a < b ? a : b)
BY_TYPE(max, a > b ? a : b)

SAME(mul_16, uint16_t, 32, (uint16_t)((uint32_t)a * b))
SAME(mul_32, uint32_t, 32, a * b)
SAME(mul_64, uint64_t, 64, a * b)
SAME(high_u16, uint16_t, 32, (uint32_t)a * b >> 16)
SAME(high_s16, int16_t, 32, (uint16_t)(a * b >> 16))
SAME(high_u32, uint32_t, 32, (uint64_t)a * b >> 32)
SAME(high_s32, int32_t, 32, (int64_t)a * b >> 32)
SAME(high_u64, uint64_t, 64, (unsigned __int128)a * b >> 64)
SAME(high_s64, int64_t, 64, (__int128)a * b >> 64)
BINARY(wide_u16, 32, uint16_t, 32, uint16_t, 32, (uint32_t)a * b)
BINARY(wide_s16, 32, int16_t, 32, int16_t, 32, a * b)
BINARY(wide_u32, 64, uint32_t, 32, uint32_t, 32, (uint64_t)a * b)
BINARY(wide_s32, 64, int32_t, 32, int32_t, 32, (int64_t)a * b)
#define MAD(name, T, R, expr) TERNARY(name, R, T, R, T, R, uint##R##_t, R, expr)
MAD(mad_16, uint16_t, 32, (uint16_t)((uint32_t)a * b + c))
MAD(mad_32, uint32_t, 32, a * b + c)
MAD(mad_64, uint64_t, 64, a * b + c)
MAD(mad_high_u32, uint32_t, 32, (uint32_t)((uint64_t)a * b >> 32) + c)
MAD(mad_high_s32, int32_t, 32, (uint32_t)((int64_t)a * b >> 32) + c)
MAD(mad_high_u64, uint64_t, 64, (uint64_t)((unsigned __int128)a * b >> 64) + c)
TERNARY(mad_wide_u16, 32, uint16_t, 32, uint16_t, 32, uint32_t, 32, (uint32_t)a * b + c)
TERNARY(mad_wide_s16, 32, int16_t, 32, int16_t, 32, uint32_t, 32, (uint32_t)(a * b) + c)
TERNARY(mad_wide_u32, 64, uint32_t, 32, uint32_t, 32, uint64_t, 64, (uint64_t)a * b + c)
TERNARY(mad_wide_s32, 64, int32_t, 32, int32_t, 32, uint64_t, 64, (uint64_t)((int64_t)a * b) + c)
TERNARY(sad_u32, 32, uint32_t, 32, uint32_t, 32, uint32_t, 32, c + (a < b ? b - a : a - b))
TERNARY(sad_s32, 32, int32_t, 32, int32_t, 32, uint32_t, 32,
    c + (a < b ? (uint32_t)b - (uint32_t)a : (uint32_t)a - (uint32_t)b))

/* By zero: whatever the machine says; the least by -1 wraps. */
#define DIVIDE(T, U, R) \
	SAME(div_##T, T##_t, R, b == 0 ? (U)-1 : b == (T##_t)-1 && (T##_t)-1 < 1 ? (U)0 - (U)a : (U)(a / b)) \
	SAME(rem_##T, T##_t, R, b == 0 ? (U)a : b == (T##_t)-1 && (T##_t)-1 < 1 ? (U)0 : (U)(a % b))
DIVIDE(uint16, uint16_t, 32)
DIVIDE(int16, uint16_t, 32)
DIVIDE(uint32, uint32_t, 32)
DIVIDE(int32, uint32_t, 32)
DIVIDE(uint64, uint64_t, 64)
DIVIDE(int64, uint64_t, 64)

#define SHIFT(name, T, R, expr) BINARY(name, R, T, R, uint32_t, 32, expr)
SHIFT(shl_16, uint16_t, 32, b > 15 ? 0 : (uint16_t)((uint32_t)a << b))
SHIFT(shl_32, uint32_t, 32, b > 31 ? 0 : a << (b & 31))
SHIFT(shl_64, uint64_t, 64, b > 63 ? 0 : a << (b & 63))
SHIFT(shr_u16, uint16_t, 32, b > 15 ? 0 : a >> b)
SHIFT(shr_u32, uint32_t, 32, b > 31 ? 0 : a >> (b & 31))
SHIFT(shr_u64, uint64_t, 64, b > 63 ? 0 : a >> (b & 63))
SHIFT(shr_s16, int16_t, 32, (uint16_t)(a >> (b > 15 ? 15 : b)))
SHIFT(shr_s32, int32_t, 32, a >> (b > 31 ? 31 : b))
SHIFT(shr_s64, int64_t, 64, a >> (b > 63 ? 63 : b))
#define FUNNEL(name, expr) TERNARY(name, 32, uint32_t, 32, uint32_t, 32, uint32_t, 32, expr)
FUNNEL(shf_l_wrap, ((uint64_t)b << 32 | a) << (c & 31) >> 32)
FUNNEL(shf_r_wrap, ((uint64_t)b << 32 | a) >> (c & 31))
FUNNEL(shf_l_clamp, c > 31 ? a : ((uint64_t)b << 32 | a) << (c & 31) >> 32)
FUNNEL(shf_r_clamp, c > 31 ? b : ((uint64_t)b << 32 | a) >> (c & 31))

UNARY(not_16, 32, uint16_t, 32, (uint16_t)~a)
UNARY(not_32, 32, uint32_t, 32, ~a)
UNARY(not_64, 64, uint64_t, 64, ~a)
UNARY(neg_16, 32, uint16_t, 32, (uint16_t)-a)
UNARY(neg_32, 32, uint32_t, 32, 0 - a)
UNARY(neg_64, 64, uint64_t, 64, 0 - a)
UNARY(abs_s16, 32, int16_t, 32, (uint16_t)(a < 0 ? -a : a))
UNARY(abs_s32, 32, int32_t, 32, a < 0 ? 0u - (uint32_t)a : (uint32_t)a)
UNARY(abs_s64, 64, int64_t, 64, a < 0 ? 0u - (uint64_t)a : (uint64_t)a)
UNARY(popc_32, 32, uint32_t, 32, __builtin_popcount(a))
UNARY(popc_64, 32, uint64_t, 64, __builtin_popcountll(a))
UNARY(clz_32, 32, uint32_t, 32, a ? __builtin_clz(a) : 32)
UNARY(clz_64, 32, uint64_t, 64, a ? __builtin_clzll(a) : 64)
UNARY(bfind_u32, 32, uint32_t, 32, a ? 31 - __builtin_clz(a) : -1)

static inline uint32_t
reverse(uint32_t a)
{
	uint32_t r = 0;

	for (int k = 0; k < 32; k++)
		r |= (a >> k & 1) << (31 - k);
	return r;
}
UNARY(brev_32, 32, uint32_t, 32, reverse(a))

/* A field of bits: beyond the top a sign, or nothing. */
static inline uint64_t
field(uint64_t a, uint32_t b, uint32_t c, unsigned bits, bool is_signed)
{
	unsigned at = b & 0xff, len = c & 0xff, top = at + len - 1 < bits - 1 ? at + len - 1 : bits - 1;
	uint64_t sign = is_signed && len > 0 && (a >> top & 1) ? ~(uint64_t)0 : 0, r = 0;

	if (len == 0)
		return 0;
	if (at < bits)
		r = a >> at;
	else
		r = sign;
	if (len < 64) {
		unsigned have = at >= bits ? 0 : bits - at < len ? bits - at : len;
		uint64_t mask = ((uint64_t)1 << have) - 1;

		r = have == 64 ? r : (r & mask) | (sign & ~mask);
	} else if (at > 0 && at < bits) {
		r = (r & (~(uint64_t)0 >> at)) | (sign & ~(~(uint64_t)0 >> at));
	}
	return r;
}

#define FIELD(name, T, R, is_signed) \
static void \
name##_any(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	D##R; A##R(1, a); A32(2, b); A32(3, c); \
	EACH(d[l] = (uint##R##_t)field(a_[l], b_[l], c_[l], R, is_signed)) \
} \
/* Mostly all lanes want the same field, inside the word. */ \
static OP(name) \
{ \
	D##R; A##R(1, a); \
	unsigned at = r32(w, i, 2)[__builtin_ctz(lanes)], len = r32(w, i, 3)[__builtin_ctz(lanes)]; \
	uint32_t differ = at > R || len == 0 || len > R || at + len > R; \
	A32(2, b); A32(3, c); \
	EACH(differ |= (b_[l] ^ at) | (c_[l] ^ len)) \
	if (differ) { \
		name##_any(w, i, lanes); \
		return; \
	} \
	at = R - at - len; \
	len = R - len; \
	EACH(d[l] = (uint##R##_t)((T)(a_[l] << at) >> len)) \
}
FIELD(bfe_u32, uint32_t, 32, false)
FIELD(bfe_s32, int32_t, 32, true)
FIELD(bfe_u64, uint64_t, 64, false)
FIELD(bfe_s64, int64_t, 64, true)

static inline uint64_t
insert(uint64_t a, uint64_t b, uint32_t c, uint32_t d, unsigned bits)
{
	unsigned at = c & 0xff, len = d & 0xff;
	uint64_t mask;

	if (at >= bits || len == 0)
		return b;
	mask = (len >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << len) - 1) << at;
	return (b & ~mask) | (a << at & mask);
}
#define INSERT(name, R) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	D##R; A##R(1, a); A##R(2, b); A32(3, c); A32(4, e); \
	EACH(d[l] = (uint##R##_t)insert(a_[l], b_[l], c_[l], e_[l], R)) \
}
INSERT(bfi_32, 32)
INSERT(bfi_64, 64)

/* Each nibble of c names one of 8 bytes, or with its top bit that byte's sign. */
static inline uint32_t
permute(uint32_t a, uint32_t b, uint32_t c)
{
	uint64_t all = (uint64_t)b << 32 | a;
	uint32_t r = 0;

	for (int k = 0; k < 4; k++) {
		unsigned s = c >> 4 * k & 15, byte = (unsigned)(all >> 8 * (s & 7)) & 255;

		if (s & 8)
			byte = byte & 128 ? 255 : 0;
		r |= byte << 8 * k;
	}
	return r;
}
TERNARY(prmt, 32, uint32_t, 32, uint32_t, 32, uint32_t, 32, permute(a, b, c))

static OP(lop3)
{
	D32; A32(1, a); A32(2, b); A32(3, c);
	uint32_t table = *r32(w, i, 4);
	uint32_t t[8];

	for (int k = 0; k < 8; k++)
		t[k] = table >> k & 1 ? EVERY : 0;
	EACH(uint32_t a = a_[l], b = b_[l], c = c_[l];
	    d[l] = (~a & ~b & ~c & t[0]) | (~a & ~b & c & t[1]) | (~a & b & ~c & t[2]) |
	    (~a & b & c & t[3]) | (a & ~b & ~c & t[4]) | (a & ~b & c & t[5]) | (a & b & ~c & t[6]) |
	    (a & b & c & t[7]))
}

#define DP4A(name, TA, TB) \
static inline uint32_t \
name##_one(uint32_t a, uint32_t b, uint32_t c) \
{ \
	for (int k = 0; k < 32; k += 8) \
		c += (uint32_t)((int32_t)(TA)(a >> k) * (int32_t)(TB)(b >> k)); \
	return c; \
} \
TERNARY(name, 32, uint32_t, 32, uint32_t, 32, uint32_t, 32, name##_one(a, b, c))
DP4A(dp4a_ss, int8_t, int8_t)
DP4A(dp4a_su, int8_t, uint8_t)
DP4A(dp4a_us, uint8_t, int8_t)
DP4A(dp4a_uu, uint8_t, uint8_t)

/* Two halves of a by the low, or the high, two bytes of b. */
#define DP2A(name, TA, TB, from) \
static inline uint32_t \
name##_one(uint32_t a, uint32_t b, uint32_t c) \
{ \
	for (int k = 0; k < 2; k++) \
		c += (uint32_t)((int32_t)(TA)(a >> 16 * k) * (int32_t)(TB)(b >> (from + 8 * k))); \
	return c; \
} \
TERNARY(name, 32, uint32_t, 32, uint32_t, 32, uint32_t, 32, name##_one(a, b, c))
DP2A(dp2a_lo_ss, int16_t, int8_t, 0)
DP2A(dp2a_hi_ss, int16_t, int8_t, 16)
DP2A(dp2a_lo_su, int16_t, uint8_t, 0)
DP2A(dp2a_hi_su, int16_t, uint8_t, 16)

static OP(selp_32)
{
	D32; A32(1, a); A32(2, b);
	uint32_t p = *r32(w, i, 3);
	EACH(d[l] = p >> l & 1 ? a_[l] : b_[l])
}
static OP(selp_64)
{
	D64; A64(1, a); A64(2, b);
	uint32_t p = *r32(w, i, 3);
	EACH(d[l] = p >> l & 1 ? a_[l] : b_[l])
}

/* Predicates are a word of 32 bits. */
#define PREDICATE(name, expr) \
static void \
name(struct warp *w, const struct ins *i, uint32_t lanes) \
{ \
	uint32_t *d = r32(w, i, 0), a = *r32(w, i, 1), b = i->o[2] < 0 ? 0 : *r32(w, i, 2); \
	(void)b; \
	*d = (*d & ~lanes) | ((expr) & lanes); \
}
PREDICATE(and_pred, a & b)
PREDICATE(or_pred, a | b)
PREDICATE(xor_pred, a ^ b)
PREDICATE(not_pred, ~a)

/* p, q, a, b, c: with c the comparison is combined. */
#define COMPARE(name, T, R, expr) \
static OP(name) \
{ \
	static const uint32_t bit[WARP] = { \
		1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768, \
		1u << 16, 1u << 17, 1u << 18, 1u << 19, 1u << 20, 1u << 21, 1u << 22, 1u << 23, \
		1u << 24, 1u << 25, 1u << 26, 1u << 27, 1u << 28, 1u << 29, 1u << 30, 1u << 31 }; \
	A##R(2, a); A##R(3, b); \
	uint32_t p = 0, q, *to; \
	EACH(T a = (T)a_[l]; T b = (T)b_[l]; p |= (expr) ? bit[l] : 0) \
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
#define COMPARISONS(t, T, R) \
	COMPARE(setp_eq_##t, T, R, a == b) COMPARE(setp_ne_##t, T, R, a != b) \
	COMPARE(setp_lt_##t, T, R, a < b) COMPARE(setp_le_##t, T, R, a <= b) \
	COMPARE(setp_gt_##t, T, R, a > b) COMPARE(setp_ge_##t, T, R, a >= b)
COMPARISONS(u16, uint16_t, 32)
COMPARISONS(s16, int16_t, 32)
COMPARISONS(u32, uint32_t, 32)
COMPARISONS(s32, int32_t, 32)
COMPARISONS(u64, uint64_t, 64)
COMPARISONS(s64, int64_t, 64)

#define PLAIN(name, wants, f) { name, wants, f, PTX_PLAIN, 0 }
#define BITS(x) \
	PLAIN(#x ".b16", "BBB", x##_16), PLAIN(#x ".b32", "WWW", x##_32), PLAIN(#x ".b64", "QQQ", x##_64)
#define SIGNLESS(x, f) \
	PLAIN(x ".u16", "sss", f##_16), PLAIN(x ".s16", "sss", f##_16), PLAIN(x ".u32", "iii", f##_32), \
	PLAIN(x ".s32", "iii", f##_32), PLAIN(x ".u64", "lll", f##_64), PLAIN(x ".s64", "lll", f##_64)
#define TYPED(x, f) \
	PLAIN(x ".u16", "sss", f##_u16), PLAIN(x ".s16", "sss", f##_s16), PLAIN(x ".u32", "iii", f##_u32), \
	PLAIN(x ".s32", "iii", f##_s32), PLAIN(x ".u64", "lll", f##_u64), PLAIN(x ".s64", "lll", f##_s64)
#define COMPARED(c) \
	PLAIN("setp." #c ".u16", "PPss", setp_##c##_u16), PLAIN("setp." #c ".s16", "PPss", setp_##c##_s16), \
	PLAIN("setp." #c ".u32", "PPii", setp_##c##_u32), PLAIN("setp." #c ".s32", "PPii", setp_##c##_s32), \
	PLAIN("setp." #c ".u64", "PPll", setp_##c##_u64), PLAIN("setp." #c ".s64", "PPll", setp_##c##_s64)
#define SIZED(name, f) \
	PLAIN("setp." name ".u16", "PPss", f##_u16), PLAIN("setp." name ".u32", "PPii", f##_u32), \
	PLAIN("setp." name ".u64", "PPll", f##_u64)

const struct ptx_entry ptx_integers[] = {
	SIGNLESS("add", add), SIGNLESS("sub", sub), SIGNLESS("mul.lo", mul), TYPED("mul.hi", high),
	TYPED("min", min), TYPED("max", max),
	PLAIN("mul.wide.u16", "iss", wide_u16), PLAIN("mul.wide.s16", "iss", wide_s16),
	PLAIN("mul.wide.u32", "lii", wide_u32), PLAIN("mul.wide.s32", "lii", wide_s32),
	PLAIN("mad.lo.u16", "ssss", mad_16), PLAIN("mad.lo.s16", "ssss", mad_16),
	PLAIN("mad.lo.u32", "iiii", mad_32), PLAIN("mad.lo.s32", "iiii", mad_32),
	PLAIN("mad.lo.u64", "llll", mad_64), PLAIN("mad.lo.s64", "llll", mad_64),
	PLAIN("mad.hi.u32", "iiii", mad_high_u32), PLAIN("mad.hi.s32", "iiii", mad_high_s32),
	PLAIN("mad.hi.u64", "llll", mad_high_u64),
	PLAIN("mad.wide.u16", "issi", mad_wide_u16), PLAIN("mad.wide.s16", "issi", mad_wide_s16),
	PLAIN("mad.wide.u32", "liil", mad_wide_u32), PLAIN("mad.wide.s32", "liil", mad_wide_s32),
	PLAIN("sad.u32", "iiii", sad_u32), PLAIN("sad.s32", "iiii", sad_s32),
	PLAIN("div.u16", "sss", div_uint16), PLAIN("div.s16", "sss", div_int16),
	PLAIN("div.u32", "iii", div_uint32), PLAIN("div.s32", "iii", div_int32),
	PLAIN("div.u64", "lll", div_uint64), PLAIN("div.s64", "lll", div_int64),
	PLAIN("rem.u16", "sss", rem_uint16), PLAIN("rem.s16", "sss", rem_int16),
	PLAIN("rem.u32", "iii", rem_uint32), PLAIN("rem.s32", "iii", rem_int32),
	PLAIN("rem.u64", "lll", rem_uint64), PLAIN("rem.s64", "lll", rem_int64),
	BITS(and), BITS(or), BITS(xor),
	PLAIN("not.b16", "BB", not_16), PLAIN("not.b32", "WW", not_32), PLAIN("not.b64", "QQ", not_64),
	PLAIN("neg.s16", "ss", neg_16), PLAIN("neg.s32", "ii", neg_32), PLAIN("neg.s64", "ll", neg_64),
	PLAIN("abs.s16", "ss", abs_s16), PLAIN("abs.s32", "ii", abs_s32), PLAIN("abs.s64", "ll", abs_s64),
	PLAIN("popc.b32", "iW", popc_32), PLAIN("popc.b64", "iQ", popc_64),
	PLAIN("clz.b32", "iW", clz_32), PLAIN("clz.b64", "iQ", clz_64),
	PLAIN("bfind.u32", "ii", bfind_u32), PLAIN("brev.b32", "WW", brev_32),
	PLAIN("shl.b16", "BBi", shl_16), PLAIN("shl.b32", "WWi", shl_32), PLAIN("shl.b64", "QQi", shl_64),
	PLAIN("shr.b16", "BBi", shr_u16), PLAIN("shr.b32", "WWi", shr_u32), PLAIN("shr.b64", "QQi", shr_u64),
	PLAIN("shr.u16", "ssi", shr_u16), PLAIN("shr.u32", "iii", shr_u32), PLAIN("shr.u64", "lli", shr_u64),
	PLAIN("shr.s16", "ssi", shr_s16), PLAIN("shr.s32", "iii", shr_s32), PLAIN("shr.s64", "lli", shr_s64),
	PLAIN("shf.l.wrap.b32", "WWWi", shf_l_wrap), PLAIN("shf.r.wrap.b32", "WWWi", shf_r_wrap),
	PLAIN("shf.l.clamp.b32", "WWWi", shf_l_clamp), PLAIN("shf.r.clamp.b32", "WWWi", shf_r_clamp),
	PLAIN("bfe.u32", "iiii", bfe_u32), PLAIN("bfe.s32", "iiii", bfe_s32),
	PLAIN("bfe.u64", "llii", bfe_u64), PLAIN("bfe.s64", "llii", bfe_s64),
	PLAIN("bfi.b32", "WWWii", bfi_32), PLAIN("bfi.b64", "QQQii", bfi_64),
	PLAIN("prmt.b32", "WWWW", prmt), PLAIN("lop3.b32", "WWWW#", lop3),
	PLAIN("dp4a.s32.s32", "iWWi", dp4a_ss), PLAIN("dp4a.s32.u32", "iWWi", dp4a_su),
	PLAIN("dp4a.u32.s32", "iWWi", dp4a_us), PLAIN("dp4a.u32.u32", "iWWi", dp4a_uu),
	PLAIN("dp2a.lo.s32.s32", "iWWi", dp2a_lo_ss), PLAIN("dp2a.hi.s32.s32", "iWWi", dp2a_hi_ss),
	PLAIN("dp2a.lo.s32.u32", "iWWi", dp2a_lo_su), PLAIN("dp2a.hi.s32.u32", "iWWi", dp2a_hi_su),
	PLAIN("selp.b16", "BBBP", selp_32), PLAIN("selp.b32", "WWWP", selp_32), PLAIN("selp.b64", "QQQP", selp_64),
	PLAIN("selp.u16", "sssP", selp_32), PLAIN("selp.u32", "iiiP", selp_32), PLAIN("selp.u64", "lllP", selp_64),
	PLAIN("selp.s16", "sssP", selp_32), PLAIN("selp.s32", "iiiP", selp_32), PLAIN("selp.s64", "lllP", selp_64),
	PLAIN("selp.f32", "fffP", selp_32), PLAIN("selp.f64", "dddP", selp_64),
	PLAIN("and.pred", "PPP", and_pred), PLAIN("or.pred", "PPP", or_pred), PLAIN("xor.pred", "PPP", xor_pred),
	PLAIN("not.pred", "PP", not_pred),
	COMPARED(eq), COMPARED(ne), COMPARED(lt), COMPARED(le), COMPARED(gt), COMPARED(ge),
	SIZED("lo", setp_lt), SIZED("ls", setp_le), SIZED("hi", setp_gt), SIZED("hs", setp_ge),
	PLAIN("setp.eq.b16", "PPBB", setp_eq_u16), PLAIN("setp.ne.b16", "PPBB", setp_ne_u16),
	PLAIN("setp.eq.b32", "PPWW", setp_eq_u32), PLAIN("setp.ne.b32", "PPWW", setp_ne_u32),
	PLAIN("setp.eq.b64", "PPQQ", setp_eq_u64), PLAIN("setp.ne.b64", "PPQQ", setp_ne_u64),
	{ NULL, NULL, NULL, PTX_PLAIN, 0 }
};
