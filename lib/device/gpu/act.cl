/* SPDX-License-Identifier: MIT */
/*
 * act.cl -- activations as int8 in groups of 32 columns, as lib/dot/act.c
 * makes them: 8 words of codes, and beside them scale, scale times the sum,
 * and times the sums of the halves.  Eight lanes that follow one another make
 * a group, four values each.
 */
enum {
	ACT_LANES = 256,		/* of a work-group, at most */
	NOWHERE = 0x7fffff00,		/* behind every column's end */
};

/* The lane's codes, and the group's scales to f, which may be none; all lanes
 * come here. */
FM_FN uint
codes_of(const float *v, GLOBAL float *f, float *scale, SCRATCH(uint, most), SCRATCH(int, sums))
{
	uint lane = LANE(), first = lane / 8 * 8, max = 0, word = 0;
	int sum = 0;
	float id;

	UNROLL
	for (uint i = 0; i < 4; i++) {
		uint u = as_uint(v[i]) & 0x7fffffff;

		max = u > max ? u : max;
	}
	most[lane] = max;
	BARRIER();
	for (uint i = 0; i < 8; i++)
		max = most[first + i] > max ? most[first + i] : max;
	id = 127.0f / as_float(max);
	id = max < 0x7f800000 && as_uint(id) < 0x7f800000 ? id : 0;
	*scale = max < 0x7f800000 ? as_float(max) / 127.0f : as_float(0x7fc00000);
	UNROLL
	for (uint i = 0; i < 4; i++) {
		int code = id > 0 ? (int)((v[i] * id + 12582912.0f) - 12582912.0f) : 0;

		sum += code;
		word |= ((uint)code & 0xff) << 8 * i;
	}
	sums[lane] = sum;
	BARRIER();
	if (f && lane == first) {
		int low = 0, high = 0;

		for (uint i = 0; i < 4; i++) {
			low += sums[lane + i];
			high += sums[lane + i + 4];
		}
		f[0] = *scale;
		f[1] = *scale * (float)(low + high);
		f[2] = *scale * (float)low;
		f[3] = *scale * (float)high;
	}
	return word;
}

/* Where the codes of n columns of some groups go; q2: what the first leave,
 * or none. */
struct codes {
	GLOBAL uint	*q, *q2;
	GLOBAL float	*s, *s2;
	uint		 groups;
};
#define CODES		BUF(uint, q), BUF(float, s), BUF(uint, q2), BUF(float, s2), uint groups
#define TO_CODES	{ AT(uint, q), HAS(q2) ? AT(uint, q2) : 0, AT(float, s), AT(float, s2), groups }

/* Values of column c from e on, a multiple of 4; behind its end they are 0. */
FM_FN void
quantize4(float *v, uint c, uint e, const struct codes *to, SCRATCH(uint, most), SCRATCH(int, sums))
{
	ulong g = (ulong)c * to->groups + e / 32, at = g * 8 + e % 32 / 4;
	uint here = e / 32 < to->groups;
	float scale;
	uint word = codes_of(v, here ? to->s + g * 4 : 0, &scale, most, sums);

	if (here)
		to->q[at] = word;
	if (SKIPS && !to->q2)
		return;
	here = here && to->q2;
	UNROLL
	for (uint i = 0; i < 4; i++)
		v[i] = v[i] - scale * (float)(schar)(word >> 8 * i);
	word = codes_of(v, here ? to->s2 + g * 4 : 0, &scale, most, sums);
	if (here)
		to->q2[at] = word;
}

/* Four values an item, of n columns behind one another. */
KERNEL
quantize(BUF(const float, x), ulong ldx, uint cols, CODES, uint n)
{
	LOCAL uint most[ACT_LANES];
	LOCAL int sums[ACT_LANES];
	struct codes to = TO_CODES;
	uint c = ITEM(0) / (groups * 8), e = c < n ? ITEM(0) % (groups * 8) * 4 : NOWHERE;
	GLOBAL const float *in = CAT(float, x) + c * ldx;
	float v[4];

	UNROLL
	for (uint i = 0; i < 4; i++)
		v[i] = e + i < cols ? in[e + i] : 0;
	quantize4(v, c, e, &to, most, sums);
}

/* The same; codes of them with groups that are not 0. */
KERNEL
activate(BUF(float, y), BUF(const float, g), uint ld, uint width, uint gelu, CODES, uint n)
{
	LOCAL uint most[ACT_LANES];
	LOCAL int sums[ACT_LANES];
	struct codes to = TO_CODES;
	uint items = (width + 31) / 32 * 8;
	uint c = ITEM(0) / items, e = c < n ? ITEM(0) % items * 4 : NOWHERE;
	GLOBAL float *out = AT(float, y) + (ulong)c * ld;
	float v[4];

	UNROLL
	for (uint i = 0; i < 4; i++) {
		float a;

		v[i] = 0;
		if (e + i >= width)
			continue;
		a = HAS(g) ? CAT(float, g)[(ulong)c * ld + e + i] : out[e + i];
		a = gelu ? fm_gelu(a) : fm_silu(a);
		v[i] = HAS(g) ? a * out[e + i] : a;
		out[e + i] = v[i];
	}
	if (!SKIPS || groups)
		quantize4(v, c, e, &to, most, sums);
}

/*
 * A work-group a part, of which 16 lanes sum.  First x += by * more, where
 * there is more; codes with groups that are not 0, of one part a column.
 */
KERNEL
norm(BUF(const float, w), BUF(const float, bias), BUF(float, x), BUF(float, y), uint ldx, uint ldy,
    uint len, float eps, uint centered, BUF(const float, more), uint ldm, float by, CODES)
{
	LOCAL float p[16];
	LOCAL uint most[ACT_LANES];
	LOCAL int sums[ACT_LANES];
	struct codes to = TO_CODES;
	GLOBAL float *in = AT(float, x) + (ulong)GROUP(1) * ldx + (ulong)GROUP(0) * len;
	GLOBAL float *out = AT(float, y) + (ulong)GROUP(1) * ldy + (ulong)GROUP(0) * len;
	uint lane = LANE();
	float mean = 0, sum = 0, inv;

	if (HAS(more)) {
		GLOBAL const float *m = CAT(float, more) + (ulong)GROUP(1) * ldm +
		    (ulong)GROUP(0) * len;

		for (uint i = lane; i < len; i += LANES_HERE())
			in[i] = in[i] + (by != 1 ? m[i] * by : m[i]);
	}
	if (!SKIPS || HAS(more))
		BARRIER_ALL();
	if (!SKIPS || centered) {
		if (lane < 16) {
			for (uint i = lane; i < len; i += 16)
				sum += in[i];
			p[lane] = sum;
		}
		BARRIER();
		mean = centered ? finish(p) / (float)len : 0;
		BARRIER();
		sum = 0;
	}
	if (lane < 16) {
		for (uint i = lane; i < len; i += 16) {
			float v = centered ? in[i] - mean : in[i];

			sum = fma(v, v, sum);
		}
		p[lane] = sum;
	}
	BARRIER();
	inv = 1.0f / sqrt(finish(p) / (float)len + eps);
	for (uint base = 0; base < len; base += 4 * LANES_HERE()) {
		uint e = base + 4 * lane;
		float v[4];

		UNROLL
		for (uint i = 0; i < 4; i++) {
			v[i] = 0;
			if (e + i >= len)
				continue;
			v[i] = (centered ? in[e + i] - mean : in[e + i]) * inv;
			if (HAS(w))
				v[i] = v[i] * CAT(float, w)[e + i];
			if (HAS(bias))
				v[i] = v[i] + CAT(float, bias)[e + i];
			out[e + i] = v[i];
		}
		if (!SKIPS || groups)
			quantize4(v, GROUP(1), e, &to, most, sums);
	}
}
