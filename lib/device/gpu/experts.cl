/* SPDX-License-Identifier: MIT */
/*
 * experts.cl -- a mixture's columns: which experts each has, where those of one
 * expert stand together, and the sum of what they made.
 *
 * A choice is a column's k-th expert: number column * used + k.  Chosen columns
 * stand by expert, each one's in order, in tiles of one expert: words of expert,
 * first column, columns.  Nothing here is known to the host, whose grid is for
 * as many tiles as there may be: those that are not have no columns.
 */
enum { EXPERTS = 1024, DEALERS = 64, NOBODY = 0xffffffff };

/* Is i before j among equals?  (They are all NaN, or none is.) */
FM_FN uint
beats(float a, uint i, float b, uint j)
{
	return a > b || (!(b > a) && i < j);
}

/* A work-group a column. */
KERNEL
route(BUF(const float, p), uint n, uint used, uint norm, BUF(uint, expert), BUF(float, weight))
{
	LOCAL float v[EXPERTS], part[DEALERS], sum[16], best[EXPERTS];
	LOCAL uint taken[EXPERTS];
	GLOBAL const float *in = CAT(float, p) + (ulong)GROUP(0) * n;
	uint lane = LANE();
	float max = in[0], all = 0, kept = 0;

	for (uint i = lane; i < n; i += DEALERS)
		if (in[i] > max)
			max = in[i];
	part[lane] = max;
	BARRIER();
	max = part[0];
	for (uint i = 1; i < DEALERS; i++)
		if (part[i] > max)
			max = part[i];
	for (uint i = lane; i < n; i += DEALERS)
		v[i] = fm_exp(in[i] - max);
	BARRIER();
	if (lane < 16) {
		for (uint i = lane; i < n; i += 16)
			all += v[i];
		sum[lane] = all;
	}
	BARRIER();
	all = finish(sum);
	for (uint i = lane; i < n; i += DEALERS)
		v[i] = v[i] / all;
	BARRIER();
	/* Places by size are all different. */
	for (uint i = lane; i < n; i += DEALERS) {
		uint place = 0;

		for (uint j = 0; j < n; j++)
			place += beats(v[j], j, v[i], i);
		taken[i] = place < used;
		if (place < used)
			best[place] = v[i];
	}
	BARRIER();
	for (uint k = 0; k < used; k++)
		kept += best[k];
	for (uint i = lane; i < n; i += DEALERS) {
		uint place = 0;

		if (!taken[i])
			continue;
		for (uint j = 0; j < i; j++)
			place += taken[j];
		AT(uint, expert)[(ulong)GROUP(0) * used + place] = i;
		AT(float, weight)[(ulong)GROUP(0) * used + place] = norm ? v[i] / kept : v[i];
	}
}

/* One work-group: where each of n choices stands, what stands where, and tiles
 * of up to `size` columns. */
KERNEL
deal(BUF(const uint, expert), BUF(const float, weight), uint n, uint used, uint experts,
    BUF(uint, place), BUF(uint, column), BUF(uint, tile), uint tiles, uint size)
{
	LOCAL uint users[EXPERTS], begin[EXPERTS], mine[DEALERS], end;
	GLOBAL uint *to = AT(uint, place), *t = AT(uint, tile);
	uint lane = LANE();

	for (uint x = lane; x < experts; x += DEALERS)
		users[x] = 0;
	BARRIER();
	/* As many choices at a time as there are lanes: how many before it are of
	 * the same expert. */
	for (uint base = 0; base < n; base += DEALERS) {
		uint i = base + lane, x = NOBODY, before = 0, behind = 0;

		if (i < n && CAT(float, weight)[i] != 0)
			x = CAT(uint, expert)[i];
		mine[lane] = x;
		BARRIER();
		if (x != NOBODY) {
			for (uint j = 0; j < DEALERS; j++)
				if (mine[j] == x) {
					before += j < lane;
					behind += j > lane;
				}
			before += users[x];
			to[i] = before;
		}
		BARRIER();
		if (x != NOBODY && behind == 0)
			users[x] = before + 1;
	}
	BARRIER();
	for (uint x = lane; x < experts; x += DEALERS) {
		uint first = 0, at = 0;

		for (uint j = 0; j < x; j++) {
			first += users[j];
			at += (users[j] + size - 1) / size;
		}
		begin[x] = first;
		for (uint k = 0; k < users[x]; k += size, at++) {
			t[3 * at] = x;
			t[3 * at + 1] = first + k;
			t[3 * at + 2] = users[x] - k < size ? users[x] - k : size;
		}
		if (x == experts - 1)
			end = at;
	}
	BARRIER();
	for (uint k = end + lane; k < tiles; k += DEALERS)
		t[3 * k + 2] = 0;
	for (uint i = lane; i < n; i += DEALERS)
		if (CAT(float, weight)[i] != 0) {
			to[i] += begin[CAT(uint, expert)[i]];
			AT(uint, column)[to[i]] = i / used;
		}
}

/* An item an element of n columns, one behind the other. */
KERNEL
combine(BUF(const float, weight), BUF(const uint, place), BUF(const float, x), BUF(float, y),
    uint used, uint ldx, uint ldy, uint width, uint n)
{
	uint i = ITEM(0) % width, c = ITEM(0) / width;
	float sum = 0;

	if (c >= n)
		return;
	for (uint k = c * used; k < (c + 1) * used; k++) {
		float w = CAT(float, weight)[k];

		if (w != 0)
			sum = fma(w, CAT(float, x)[(ulong)CAT(uint, place)[k] * ldx + i], sum);
	}
	AT(float, y)[(ulong)c * ldy + i] = sum;
}
