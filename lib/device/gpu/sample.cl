/* SPDX-License-Identifier: MIT */
/*
 * sample.cl -- a token from each row of logits, as lib/device/cpu_sample.c.
 *
 * A work-group takes CHUNK tokens of a row and leaves SLOTS sums or maxima of
 * them; sample_settle puts those together into the row's state, so that each
 * step knows what the one before found.  Sums are whole numbers, in any order.
 */
enum { CHUNK = 1024, SLOTS = 16, CREW = 64 };	/* items */

/* A row's state. */
enum {
	T_RAW,			/* the highest rank of a logit, */
	T_BAD,			/* and of one that is no number: 2^24 - its number */
	T_TOP, T_TOP_AT,	/* of an adjusted one, and that logit's bits */
	T_EXP,			/* weights by the logits as they were */
	T_FLOOR,		/* bits of the least probability */
	T_MEAN,			/* bits of the mean surprise */
	T_FROM,			/* 3 of the lowest rank that is kept */
	T_PREFIX = T_FROM + 3,	/* of the one that is looked for, */
	T_LEFT,			/* and what is to be reached from there */
	STATE = 16
};
/* A row's choice, as lib/device/gpu_sample.c writes it. */
enum {
	P_FLAGS, P_TEMPERATURE, P_TOP_K, P_TYPICAL, P_TOP_P, P_MIN_P, P_RANDOM, P_RANDOM_HIGH,
	P_REPETITION, P_PRESENCE, P_FREQUENCY, P_MARK, P_MARKS,
	CHOICE = 16
};
/* Flags: the four cuts are the lowest. */
enum { BY_K, BY_CLOSENESS, BY_P, BY_LEAST, DRAWN = 1 << 4, LOGPROB = 1 << 5 };

#define ROW \
	BUF(float, x), BUF(float, z), BUF(const uint, choice), BUF(ulong, part), \
	BUF(ulong, state), uint n, uint groups
#define OF_ROW \
	GLOBAL float *x = AT(float, x) + (ulong)GROUP(1) * n; \
	GLOBAL float *z = AT(float, z) + (ulong)GROUP(1) * n; \
	GLOBAL const uint *c = CAT(uint, choice) + GROUP(1) * CHOICE; \
	GLOBAL ulong *part = AT(ulong, part) + (ulong)GROUP(1) * groups * SLOTS; \
	GLOBAL ulong *state = AT(ulong, state) + GROUP(1) * STATE; \
	uint first = GROUP(0) * CHUNK, last = n - first < CHUNK ? n : first + CHUNK; \
	(void)x; (void)z; (void)c; (void)part; (void)state; (void)last
#define PER_ITEM(i)	for (uint i = first + LANE(); i < last; i += CREW)

/* v of all items as this group's: sums below `sums`, maxima from there on. */
#define LEAVE(v, sums) do { \
	ulong all = 0; \
\
	UNROLL \
	for (uint d = 0; d < SLOTS; d++) \
		t[LANE() * SLOTS + d] = v[d]; \
	BARRIER(); \
	for (uint i = 0; LANE() < SLOTS && i < CREW; i++) { \
		ulong one = t[i * SLOTS + LANE()]; \
\
		all = LANE() < (sums) ? all + one : one > all ? one : all; \
	} \
	if (LANE() < SLOTS) \
		part[GROUP(0) * SLOTS + LANE()] = all; \
} while (0)
#define NOTHING(v) \
	UNROLL \
	for (uint d = 0; d < SLOTS; d++) \
		v[d] = 0

/* What a token that is a below the largest weighs, if it is kept. */
FM_FN ulong
kept(GLOBAL const ulong *state, float a, uint id)
{
	float e = fm_exp(-a);
	ulong w = odds_weight(e), rank = odds_rank(as_uint(e), id);

	if (w == 0 || rank < state[T_FROM + BY_K] || rank < state[T_FROM + BY_P] ||
	    as_uint(e) < state[T_FLOOR])
		return 0;
	if (state[T_FROM + BY_CLOSENESS] > 0 &&
	    odds_rank(odds_close(a, as_float((uint)state[T_MEAN])), id) < state[T_FROM + BY_CLOSENESS])
		return 0;
	return w;
}

/* Logits as the model says them, and which is the largest. */
KERNEL
sample_begin(ROW, float scale, float cap)
{
	LOCAL ulong t[CREW * SLOTS];
	ulong v[SLOTS];
	OF_ROW;

	NOTHING(v);
	PER_ITEM(i) {
		float y = odds_logit(x[i], scale, cap);
		ulong rank = odds_rank(odds_order(y), i);

		x[i] = y;
		z[i] = y;
		v[0] = rank > v[0] ? rank : v[0];
		if ((as_uint(y) & 0x7f800000) == 0x7f800000 && 0x1000000 - i > v[1])
			v[1] = 0x1000000 - i;
	}
	LEAVE(v, 0);
}

/* An item a mark: 4 words of one. */
KERNEL
sample_adjust(ROW, BUF(const uint, mark))
{
	OF_ROW;

	if (ITEM(0) < c[P_MARKS]) {
		GLOBAL const uint *m = CAT(uint, mark) + ((ulong)c[P_MARK] + ITEM(0)) * 4;

		z[m[0]] = odds_adjust(z[m[0]], as_float(m[1]), m[2], m[3], as_float(c[P_REPETITION]),
		    as_float(c[P_PRESENCE]), as_float(c[P_FREQUENCY]));
	}
}

KERNEL
sample_top(ROW)
{
	LOCAL ulong t[CREW * SLOTS];
	ulong v[SLOTS];
	float raw;
	OF_ROW;

	NOTHING(v);
	raw = x[odds_id(state[T_RAW])];
	PER_ITEM(i) {
		ulong rank = odds_rank(odds_order(z[i]), i);

		v[1] = rank > v[1] ? rank : v[1];
		if (c[P_FLAGS] & LOGPROB)
			v[0] += odds_weight(fm_exp(x[i] - raw));
	}
	LEAVE(v, 1);
}

/* How far each is below the largest. */
KERNEL
sample_weigh(ROW)
{
	OF_ROW;

	if (c[P_FLAGS] & DRAWN)
		PER_ITEM(i)
			z[i] = (as_float((uint)state[T_TOP_AT]) - z[i]) / as_float(c[P_TEMPERATURE]);
}

/* What is kept: its weight, that times a, the largest probability's bits. */
KERNEL
sample_sum(ROW)
{
	LOCAL ulong t[CREW * SLOTS];
	ulong v[SLOTS];
	OF_ROW;

	NOTHING(v);
	if (c[P_FLAGS] & DRAWN)
		PER_ITEM(i) {
			ulong w = kept(state, z[i], i), e = as_uint(fm_exp(-z[i]));

			if (w > 0) {
				v[0] += w;
				v[1] += odds_times(w, z[i]);
				v[2] = e > v[2] ? e : v[2];
			}
		}
	LEAVE(v, 2);
}

/* Of those whose rank begins with the prefix, what weighs each next digit. */
KERNEL
sample_select(ROW, uint cut, uint level)
{
	LOCAL ulong t[CREW * SLOTS];
	ulong v[SLOTS], prefix;
	OF_ROW;

	NOTHING(v);
	prefix = state[T_PREFIX];
	if (c[P_FLAGS] >> cut & 1)
		PER_ITEM(i) {
			ulong w = kept(state, z[i], i), rank;

			if (w == 0)
				continue;
			rank = cut == BY_CLOSENESS ?
			    odds_rank(odds_close(z[i], as_float((uint)state[T_MEAN])), i) :
			    odds_rank(as_uint(fm_exp(-z[i])), i);
			if (rank >> (56 - 4 * level) != prefix)
				continue;
			if (cut == BY_K)
				w = 1;
			UNROLL
			for (uint d = 0; d < SLOTS; d++)
				v[d] += (rank >> (52 - 4 * level) & 15) == d ? w : 0;
		}
	LEAVE(v, SLOTS);
}

/* A work-group a row.  After: 0 begin, 1 top, 2 sum, 3 and on select. */
KERNEL
sample_settle(ROW, uint after, uint cut)
{
	LOCAL ulong t[CREW];
	uint slot = LANE() % SLOTS;
	uint sums = after < 3 ? after : SLOTS;
	ulong all = 0, left;
	OF_ROW;

	for (uint g = LANE() / SLOTS; g < groups; g += CREW / SLOTS) {
		ulong one = part[g * SLOTS + slot];

		all = slot < sums ? all + one : one > all ? one : all;
	}
	t[LANE()] = all;
	BARRIER();
	if (LANE() < SLOTS) {
		for (uint i = 1; i < CREW / SLOTS; i++) {
			ulong one = t[i * SLOTS + slot];

			all = slot < sums ? all + one : one > all ? one : all;
		}
	}
	BARRIER();
	if (LANE() < SLOTS)
		t[LANE()] = all;
	BARRIER();
	if (LANE() > 0)
		return;
	if (after == 0) {
		state[T_RAW] = t[0];
		state[T_BAD] = t[1];
	} else if (after == 1) {
		state[T_EXP] = t[0];
		state[T_TOP] = t[1];
		state[T_TOP_AT] = as_uint(z[odds_id(t[1])]);
	} else if (!(c[P_FLAGS] >> cut & 1)) {
		return;
	} else if (after == 2) {
		state[T_PREFIX] = 0;
		if (cut == BY_LEAST)
			state[T_FLOOR] = as_uint(as_float(c[P_MIN_P]) * as_float((uint)t[2]));
		if (cut == BY_CLOSENESS)
			state[T_MEAN] = as_uint(odds_mean(t[1], t[0]));
		state[T_LEFT] = cut == BY_K ? c[P_TOP_K] :
		    odds_share(t[0], c[cut == BY_P ? P_TOP_P : P_TYPICAL]);
	} else {
		uint d = SLOTS - 1;

		left = state[T_LEFT];
		all = 0;
		for (uint i = 0; i < SLOTS; i++)
			all += t[i];
		left = left < all ? left : all;
		for (; d > 0 && t[d] < left; d--)
			left -= t[d];
		state[T_LEFT] = left;
		state[T_PREFIX] = state[T_PREFIX] << 4 | d;
		if (after == 3 + 13)
			state[T_FROM + cut] = state[T_PREFIX];
	}
}

/* A work-group a row: the token at which weights, in order of numbers, pass what
 * was drawn; 2 words of it. */
KERNEL
sample_draw(ROW, BUF(uint, out))
{
	LOCAL ulong t[CREW], rest[1];
	LOCAL uint at[1];
	ulong sum = 0;
	OF_ROW;

	if (LANE() == 0) {
		at[0] = groups;
		for (uint g = 0; c[P_FLAGS] & DRAWN && g < groups; g++)
			sum += part[g * SLOTS];
		sum = odds_high((ulong)c[P_RANDOM_HIGH] << 32 | c[P_RANDOM], sum);
		for (uint g = 0; c[P_FLAGS] & DRAWN && g < groups && at[0] == groups; g++)
			if (sum < part[g * SLOTS])
				at[0] = g;
			else
				sum -= part[g * SLOTS];
		rest[0] = sum;
	}
	BARRIER();
	first = at[0] * CHUNK + LANE() * (CHUNK / CREW);
	sum = 0;
	for (uint i = first; at[0] < groups && i < first + CHUNK / CREW && i < n; i++)
		sum += kept(state, z[i], i);
	t[LANE()] = sum;
	BARRIER();
	if (LANE() == 0) {
		GLOBAL uint *to = AT(uint, out) + GROUP(1) * 2;
		uint id = odds_id(state[T_TOP]), lane = 0;

		sum = rest[0];
		if (at[0] < groups) {
			for (; lane < CREW - 1 && sum >= t[lane]; lane++)
				sum -= t[lane];
			id = at[0] * CHUNK + lane * (CHUNK / CREW);
			for (ulong w; id < n - 1 && sum >= (w = kept(state, z[id], id)); id++)
				sum -= w;
		}
		to[0] = id;
		to[1] = c[P_FLAGS] & LOGPROB ?
		    as_uint(odds_logprob(x[id], x[odds_id(state[T_RAW])], state[T_EXP])) : 0;
		if (state[T_BAD] > 0) {
			to[0] = 0xffffffff;
			to[1] = as_uint(x[0x1000000 - (uint)state[T_BAD]]);
		}
	}
}
