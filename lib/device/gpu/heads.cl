/* SPDX-License-Identifier: MIT */
/*
 * heads.cl -- queries, keys and values before attention: norms of heads, their
 * turn by position, and keys and values to their places in the cache.
 */

/* A work-group of 64 a head: queries, then keys, then values. */
KERNEL
remember(BUF(float, q), BUF(float, k), BUF(float, v), BUF(uchar, keys), BUF(uchar, values),
    BUF(const uint, at), uint ld, uint n_head, uint step, uint kv, uint n_kv, uint n_ctx,
    uint head_dim, uint head_bytes, BUF(const float, qw), BUF(const float, kw), float eps,
    uint pairs, BUF(const float, cos), BUF(const float, sin), uint ldt, uint adjacent)
{
	LOCAL float p[16];
	uint lane = LANE(), c = GROUP(1), a = GROUP(0), what = a < n_head ? 0 : a < n_head + n_kv ? 1 : 2;
	uint norm = what == 0 ? HAS(qw) : what == 1 ? HAS(kw) : 0;
	GLOBAL const float *w = what == 0 ? CAT(float, qw) : CAT(float, kw);
	GLOBAL float *x = (what == 0 ? AT(float, q) : what == 1 ? AT(float, k) : AT(float, v)) +
	    (ulong)c * ld;
	GLOBAL uchar *to = what == 1 ? AT(uchar, keys) : AT(uchar, values);

	if (what == 0) {
		x += (ulong)a * step;
	} else {
		a -= n_head + (what - 1) * n_kv;
		x += (ulong)a * head_dim;
	}
	if (!SKIPS || norm) {
		float sum = 0, inv;

		if (lane < 16) {
			for (uint i = lane; i < head_dim; i += 16)
				sum = fma(x[i], x[i], sum);
			p[lane] = sum;
		}
		BARRIER();
		inv = 1.0f / sqrt(finish(p) / (float)head_dim + eps);
		for (uint i = lane; norm && i < head_dim; i += LANES_HERE())
			x[i] = x[i] * inv * w[i];
		BARRIER_ALL();
	}
	if (what == 2)
		pairs = 0;
	for (uint i = lane; i < pairs; i += LANES_HERE()) {
		GLOBAL float *first = x + (adjacent ? 2 * i : i);
		GLOBAL float *second = adjacent ? first + 1 : first + pairs;
		float cs = CAT(float, cos)[(ulong)c * ldt + i];
		float sn = CAT(float, sin)[(ulong)c * ldt + i];
		float f = *first, s = *second;

		*first = f * cs - s * sn;
		*second = s * cs + f * sn;
	}
	if (!SKIPS || pairs)
		BARRIER_ALL();
	if (what == 0)
		return;
	to += (((ulong)CAT(uint, at)[2 * c] * n_kv + a) * n_ctx + CAT(uint, at)[2 * c + 1]) * head_bytes;
	if (kv == KV_Q8_0) {
		for (uint i = lane * 32; i < head_dim; i += LANES_HERE() * 32)
			put_q8_0(to + i / 32 * 34, x + i);
		return;
	}
	for (uint i = lane; i < head_dim; i += LANES_HERE())
		if (kv == KV_F32)
			((GLOBAL float *)to)[i] = x[i];
		else
			((GLOBAL ushort *)to)[i] = (ushort)f16_from(x[i]);
}
