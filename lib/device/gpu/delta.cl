/* SPDX-License-Identifier: MIT */
/* delta.cl -- Gated DeltaNet, as device.h has it. */

/* An item a channel, through all its tokens in order. */
KERNEL
convolve(BUF(float, x), BUF(const float, filter), BUF(float, past), BUF(const uint, at), uint ld,
    uint n, uint k, uint channels)
{
	uint ch = ITEM(0);
	GLOBAL const float *w = CAT(float, filter) + (ulong)ch * k;

	if (ch >= channels)
		return;
	for (uint i = 0; i < n; i++) {
		GLOBAL float *p = AT(float, past) +
		    (ulong)CAT(uint, at)[2 * i] * (k - 1) * channels + ch;
		GLOBAL float *v = AT(float, x) + (ulong)i * ld + ch;
		float in = *v, y = 0;

		for (uint j = 0; j + 1 < k; j++)
			y = fma(p[(ulong)j * channels], w[j], y);
		y = fma(in, w[k - 1], y);
		for (uint j = 0; j + 2 < k; j++)
			p[(ulong)j * channels] = p[(ulong)(j + 1) * channels];
		if (k > 1)
			p[(ulong)(k - 2) * channels] = in;
		*v = fm_silu(y);
	}
}

/* A work-group of 16 a head: to unit length, the first nk shorter by sqrt(dk). */
KERNEL
unit(BUF(float, x), uint ld, uint nk, uint dk)
{
	LOCAL float p[16];
	GLOBAL float *v = AT(float, x) + (ulong)GROUP(1) * ld + (ulong)GROUP(0) * dk;
	float sum = 0, inv, scale = GROUP(0) < nk ? 1.0f / sqrt((float)dk) : 1.0f;

	for (uint i = LANE(); i < dk; i += 16)
		sum = fma(v[i], v[i], sum);
	p[LANE()] = sum;
	BARRIER();
	inv = 1.0f / sqrt(finish(p) + 1e-6f);
	for (uint i = LANE(); i < dk; i += 16)
		v[i] = v[i] * inv * scale;
}

/* An item a column of a value head's state, through all tokens in order. */
KERNEL
recur(BUF(const float, x), BUF(float, state), BUF(const float, gates), BUF(const float, rate),
    BUF(const float, bias), BUF(float, out), BUF(const uint, at), uint ld, uint ldg, uint ldo,
    uint n, uint nk, uint nv, uint dk, uint dv, uint mod)
{
	uint b = ITEM(0), h = GROUP(1), kh = mod ? h % nk : h / (nv / nk);

	if (b >= dv)
		return;
	for (uint i = 0; i < n; i++) {
		GLOBAL const float *q = CAT(float, x) + (ulong)i * ld + (ulong)kh * dk;
		GLOBAL const float *k = q + (ulong)nk * dk;
		GLOBAL const float *g = CAT(float, gates) + (ulong)i * ldg;
		GLOBAL float *s = AT(float, state) +
		    ((ulong)CAT(uint, at)[2 * i] * nv + h) * dk * dv + b;
		float v = CAT(float, x)[(ulong)i * ld + 2 * (ulong)nk * dk + (ulong)h * dv + b];
		float decay = fm_exp(CAT(float, rate)[h] * fm_softplus(g[h] + CAT(float, bias)[h]));
		float beta = fm_sigmoid(g[nv + h]), mem = 0, o = 0;

		for (uint a = 0; a < dk; a++) {
			float now = s[(ulong)a * dv] * decay;

			s[(ulong)a * dv] = now;
			mem = fma(now, k[a], mem);
		}
		mem = (v - mem) * beta;
		for (uint a = 0; a < dk; a++) {
			float now = fma(k[a], mem, s[(ulong)a * dv]);

			s[(ulong)a * dv] = now;
			o = fma(now, q[a], o);
		}
		AT(float, out)[(ulong)i * ldo + (ulong)h * dv + b] = o;
	}
}
