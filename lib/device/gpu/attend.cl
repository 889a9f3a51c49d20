/* SPDX-License-Identifier: MIT */
/*
 * attend.cl -- keys and values to their places, and queries against them: in
 * blocks of 256 keys at fixed positions, joined in order.
 */
enum { KV_F16, KV_F32, KV_Q8_0, KEY_BLOCK = 256, ITEMS = 64 };

/* Element i of a head in the cache. */
FM_FN float
cached(uint kv, GLOBAL const uchar *p, uint i)
{
	if (kv == KV_F32)
		return ((GLOBAL const float *)p)[i];
	if (kv == KV_F16)
		return f16_to(((GLOBAL const ushort *)p)[i]);
	p += i / 32 * 34;
	return (float)(char)p[2 + i % 32] * half_at(p);
}

/* Half away from zero, as roundf. */
FM_FN int
rounded(float v)
{
	float a = v < 0 ? -v : v;
	int i = (int)a;

	if (!(a < 8388608.0f))
		return a == a ? (v < 0 ? -2147483647 - 1 : 2147483647) : 0;
	i += a - (float)i >= 0.5f;
	return v < 0 ? -i : i;
}

FM_FN void
put_q8_0(GLOBAL uchar *to, GLOBAL const float *x)
{
	float most = 0, d, id;
	uint h;

	for (uint i = 0; i < 32; i++) {
		float a = as_float(as_uint(x[i]) & 0x7fffffff);

		most = most < a ? a : most;
	}
	d = most / 127.0f;
	id = d != 0 ? 1.0f / d : 0;
	h = f16_from(d);
	to[0] = (uchar)h;
	to[1] = (uchar)(h >> 8);
	for (uint i = 0; i < 32; i++)
		to[2 + i] = (uchar)rounded(x[i] * id);
}

/* A work-group of 64 a query. */
KERNEL
attend(BUF(const uchar, keys), BUF(const uchar, values), BUF(const float, q), BUF(float, out),
    BUF(const uint, at), uint ldq, uint ldo, uint step, uint per, uint kv, uint n_kv, uint n_ctx,
    uint head_dim, uint head_bytes, uint window, float scale, float cap)
{
	LOCAL float s[KEY_BLOCK], most[ITEMS], p[16];
	uint lane = LANE(), head = GROUP(0), c = GROUP(1), pos = CAT(uint, at)[2 * c + 1];
	ulong first = ((ulong)CAT(uint, at)[2 * c] * n_kv + head / per) * n_ctx * head_bytes;
	GLOBAL const float *query = CAT(float, q) + (ulong)c * ldq + (ulong)head * step;
	GLOBAL float *y = AT(float, out) + (ulong)c * ldo + (ulong)head * head_dim;
	uint low = window && pos >= window ? pos - window + 1 : 0;
	float max = 0, sum = 0;

	for (uint base = low / KEY_BLOCK * KEY_BLOCK; base <= pos; base += KEY_BLOCK) {
		uint from = low < base ? 0 : low - base;
		uint to = pos - base < KEY_BLOCK ? pos - base + 1 : KEY_BLOCK;
		GLOBAL const uchar *k = CAT(uchar, keys) + first + (ulong)base * head_bytes;
		GLOBAL const uchar *v = CAT(uchar, values) + first + (ulong)base * head_bytes;
		float m = -INFINITY, l, c0 = 1, c1 = 1;

		for (uint j = from + lane; j < to; j += ITEMS) {
			GLOBAL const uchar *key = k + (ulong)j * head_bytes;
			float t[16], d;

			UNROLL
			for (int i = 0; i < 16; i++)
				t[i] = 0;
			for (uint e = 0; e < head_dim; e += 16)
				UNROLL
				for (int i = 0; i < 16; i++)
					if (e + i < head_dim)
						t[i] = fma(cached(kv, key, e + i), query[e + i], t[i]);
			for (int i = 0; i < 8; i++)
				t[i] = t[i] + t[i + 8];
			for (int i = 0; i < 4; i++)
				t[i] = t[i] + t[i + 4];
			t[0] = t[0] + t[2];
			t[1] = t[1] + t[3];
			d = (t[0] + t[1]) * scale;
			if (cap != 0)
				d = cap * fm_tanh(d / cap);
			if (d > m)
				m = d;
			s[j] = d;
		}
		most[lane] = m;
		BARRIER();
		for (int i = 0; i < ITEMS; i++)
			if (most[i] > m)
				m = most[i];
		for (uint j = from + lane; j < to; j += ITEMS)
			s[j] = fm_exp(s[j] - m);
		BARRIER();
		if (lane < 16) {
			float t = 0;

			for (uint j = lane; j < to; j += 16)
				if (j >= from)
					t += s[j];
			p[lane] = t;
		}
		BARRIER();
		l = finish(p);
		if (sum == 0) {
			max = m;
			sum = l;
		} else {
			if (m > max) {
				c0 = fm_exp(max - m);
				max = m;
			} else {
				c1 = fm_exp(m - max);
			}
			sum = fma(l, c1, sum * c0);
		}
		for (uint d = lane; d < head_dim; d += ITEMS) {
			float acc = 0;

			for (uint j = from; j < to; j++)
				acc = fma(s[j], cached(kv, v + (ulong)j * head_bytes, d), acc);
			y[d] = base == low / KEY_BLOCK * KEY_BLOCK ? acc : fma(acc, c1, y[d] * c0);
		}
		BARRIER();
	}
	for (uint d = lane; d < head_dim; d += ITEMS)
		y[d] = y[d] / sum;
}
