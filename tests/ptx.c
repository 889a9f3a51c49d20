/* SPDX-License-Identifier: MIT */
/*
 * ptx.c -- the driver without a card (tests/stub), by instructions that few
 * kernels have and by kernels that no card would run: dp4a, shuffles, matrix
 * fragments and the like beside plain C from the PTX ISA's tables.
 *
 *	ptx		with LD_LIBRARY_PATH where the stub is
 *
 * Prints TAP.
 */
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

enum { LANES = 32, JIT_LOG = 5, JIT_LOG_BYTES = 6, NON_BLOCKING = 1, THREAD_LOCAL = 1 };

/* The driver's, as far as they are wanted, as its documentation has them. */
typedef int cu_result;
typedef uint64_t cu_address;
typedef struct cu_context *cu_context;
typedef struct cu_module *cu_module;
typedef struct cu_function *cu_function;
typedef struct cu_stream *cu_stream;
typedef struct cu_graph *cu_graph;
typedef struct cu_exec *cu_exec;
cu_result cuInit(unsigned), cuDevicePrimaryCtxRetain(cu_context *, int), cuCtxSetCurrent(cu_context);
cu_result cuMemAlloc_v2(cu_address *, size_t), cuMemFree_v2(cu_address);
cu_result cuStreamCreate(cu_stream *, unsigned), cuStreamDestroy_v2(cu_stream),
	cuStreamSynchronize(cu_stream);
cu_result cuMemcpyHtoDAsync_v2(cu_address, const void *, size_t, cu_stream),
	cuMemcpyDtoHAsync_v2(void *, cu_address, size_t, cu_stream);
cu_result cuModuleLoadDataEx(cu_module *, const void *, unsigned, int *, void **),
	cuModuleUnload(cu_module), cuModuleGetFunction(cu_function *, cu_module, const char *);
cu_result cuLaunchKernel(cu_function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
	unsigned, cu_stream, void **, void **);
cu_result cuStreamBeginCapture_v2(cu_stream, int), cuStreamEndCapture(cu_stream, cu_graph *),
	cuGraphInstantiateWithFlags(cu_exec *, cu_graph, unsigned long long), cuGraphLaunch(cu_exec, cu_stream),
	cuGraphExecDestroy(cu_exec), cuGraphDestroy(cu_graph);

static cu_stream stream;
static int tests, failed;

static void
ok(bool good, const char *format, ...)
{
	va_list ap;

	printf("%sok %d ", good ? "" : "not ", ++tests);
	failed += !good;
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

/* What must work for the test to go on. */
static void
must(cu_result r, const char *what)
{
	if (r == 0)
		return;
	printf("Bail out! %s: %d\n", what, r);
	exit(1);
}
#define MUST(name, ...) must(name(__VA_ARGS__), #name)

static const char *
module_text(const char *arguments, const char *variables, const char *body)
{
	static char text[1 << 16];

	snprintf(text, sizeof text,
	    ".version 7.8\n.target sm_90\n.address_size 64\n%s\n.visible .entry k(%s) {\n"
	    ".reg .pred %%p<9>;\n.reg .b16 %%h<9>;\n.reg .b32 %%r<64>;\n.reg .f32 %%f<9>;\n"
	    ".reg .f64 %%d<9>;\n.reg .b64 %%rd<20>;\n%s\nret;\n}\n", variables, arguments, body);
	return text;
}

static char log_text[512];

static cu_result
load(const char *text, cu_module *m)
{
	int option[] = { JIT_LOG, JIT_LOG_BYTES };
	void *value[] = { log_text, (void *)(uintptr_t)sizeof log_text };

	return cuModuleLoadDataEx(m, text, 2, option, value);
}

static cu_address
device(const void *bytes, size_t n)
{
	cu_address at;

	MUST(cuMemAlloc_v2, &at, n);
	if (bytes)
		MUST(cuMemcpyHtoDAsync_v2, at, bytes, n, stream);
	MUST(cuStreamSynchronize, stream);
	return at;
}

/*
 * A kernel `k(in, out)` of that many threads whose body finds its thread's
 * words at %rd1 (in_words of them) and puts out_words to %rd2.
 */
static void
each(const char *variables, const char *body, unsigned threads, const uint32_t *in, unsigned in_words,
    uint32_t *out, unsigned out_words)
{
	char all[1 << 15];
	cu_module m;
	cu_function f;
	size_t in_bytes = (size_t)threads * in_words * 4, out_bytes = (size_t)threads * out_words * 4;
	cu_address from = device(in, in_bytes), to = device(NULL, out_bytes);
	void *arg[] = { &from, &to };

	snprintf(all, sizeof all,
	    "ld.param.u64 %%rd1, [in];\nld.param.u64 %%rd2, [out];\nmov.u32 %%r0, %%tid.x;\n"
	    "mad.wide.u32 %%rd1, %%r0, %u, %%rd1;\nmad.wide.u32 %%rd2, %%r0, %u, %%rd2;\n%s",
	    in_words * 4, out_words * 4, body);
	if (load(module_text(".param .u64 in, .param .u64 out", variables, all), &m)) {
		printf("Bail out! %s\n", log_text);
		exit(1);
	}
	MUST(cuModuleGetFunction, &f, m, "k");
	MUST(cuLaunchKernel, f, 1, 1, 1, threads, 1, 1, 0, stream, arg, NULL);
	MUST(cuMemcpyDtoHAsync_v2, out, to, out_bytes, stream);
	MUST(cuStreamSynchronize, stream);
	MUST(cuModuleUnload, m);
	cuMemFree_v2(from);
	cuMemFree_v2(to);
}

static void
noise(uint32_t *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		x[i] = (uint32_t)next();
}

/* Three words to one. */
struct three {
	const char *name;
	uint32_t (*f)(uint32_t, uint32_t, uint32_t);
};

#define SUM4(name, A, B) \
static uint32_t \
name(uint32_t a, uint32_t b, uint32_t c) \
{ \
	for (int i = 0; i < 4; i++) \
		c += (uint32_t)((int)(A)(a >> 8 * i) * (int)(B)(b >> 8 * i)); \
	return c; \
}
SUM4(dp4a_ss, int8_t, int8_t)
SUM4(dp4a_us, uint8_t, int8_t)
SUM4(dp4a_su, int8_t, uint8_t)
SUM4(dp4a_uu, uint8_t, uint8_t)

static uint32_t
prmt(uint32_t a, uint32_t b, uint32_t c)
{
	uint8_t from[8], to[4];

	memcpy(from, &a, 4);
	memcpy(from + 4, &b, 4);
	for (int i = 0; i < 4; i++) {
		int n = (int)(c >> 4 * i) & 15;

		to[i] = n < 8 ? from[n] : from[n - 8] >= 128 ? 255 : 0;
	}
	memcpy(&a, to, 4);
	return a;
}

static uint32_t
lop3(uint32_t a, uint32_t b, uint32_t c)
{
	return (a & b) | (~a & c);		/* 0xca */
}

/* Bits of a field, by going through them one by one. */
static uint32_t
bfe(uint32_t a, uint32_t b, uint32_t c, bool is_signed)
{
	uint32_t at = b & 255, n = c & 255, r = 0, top = at + n - 1 > 31 ? 31 : at + n - 1;
	uint32_t sign = is_signed && n ? a >> top & 1 : 0;

	for (uint32_t i = 0; i < 32; i++) {
		uint32_t bit = i < n && at + i < 32 ? a >> (at + i) & 1 : n ? sign : 0;

		r |= bit << i;
	}
	return r;
}

static uint32_t
bfe_u(uint32_t a, uint32_t b, uint32_t c)
{
	return bfe(a, b, c, false);
}

static uint32_t
bfe_s(uint32_t a, uint32_t b, uint32_t c)
{
	return bfe(a, b, c, true);
}

static uint32_t
funnel(uint32_t a, uint32_t b, uint32_t c)
{
	return c % 32 ? a >> c % 32 | b << (32 - c % 32) : a;
}

static uint32_t
mad_hi(uint32_t a, uint32_t b, uint32_t c)
{
	return (uint32_t)(((uint64_t)a * b >> 32) + c);
}

static void
words(void)
{
	static const struct three all[] = {
		{ "dp4a.s32.s32 %r4, %r1, %r2, %r3;", dp4a_ss }, { "dp4a.u32.s32 %r4, %r1, %r2, %r3;", dp4a_us },
		{ "dp4a.s32.u32 %r4, %r1, %r2, %r3;", dp4a_su }, { "dp4a.u32.u32 %r4, %r1, %r2, %r3;", dp4a_uu },
		{ "prmt.b32 %r4, %r1, %r2, %r3;", prmt }, { "lop3.b32 %r4, %r1, %r2, %r3, 0xca;", lop3 },
		{ "and.b32 %r2, %r2, 63; and.b32 %r3, %r3, 63; bfe.u32 %r4, %r1, %r2, %r3;", bfe_u },
		{ "and.b32 %r2, %r2, 63; and.b32 %r3, %r3, 63; bfe.s32 %r4, %r1, %r2, %r3;", bfe_s },
		{ "bfe.s32 %r4, %r1, 5, 7;", NULL },
		{ "shf.r.wrap.b32 %r4, %r1, %r2, %r3;", funnel }, { "mad.hi.u32 %r4, %r1, %r2, %r3;", mad_hi },
	};
	enum { THREADS = 1000 };		/* and so a warp of 8 */
	static uint32_t in[THREADS * 3], out[THREADS];

	noise(in, THREADS * 3);
	for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
		char body[512];
		int bad = 0;

		snprintf(body, sizeof body,
		    "ld.global.u32 %%r1, [%%rd1]; ld.global.u32 %%r2, [%%rd1+4]; ld.global.nc.u32 %%r3, [%%rd1+8];\n"
		    "%s\nst.global.u32 [%%rd2], %%r4;", all[k].name);
		each("", body, THREADS, in, 3, out, 1);
		for (int i = 0; i < THREADS; i++) {
			const uint32_t *x = in + 3 * i;
			uint32_t want = !all[k].f ? bfe_s(x[0], 5, 7) : strstr(all[k].name, "63") ?
			    all[k].f(x[0], x[1] & 63, x[2] & 63) : all[k].f(x[0], x[1], x[2]);

			bad += out[i] != want;
		}
		ok(bad == 0, "%s", all[k].name);
	}
}

/* By the ISA's text: where from, and is that in the segment? */
static void
shuffles(void)
{
	static const char *const ways[] = { "up", "down", "bfly", "idx" };
	static const uint32_t clamps[] = { 0x1f, 0, 0x181f, 0x1807, 0x1c1f, 0x1000 };
	uint32_t in[LANES * 2], out[LANES * 2];

	for (int way = 0; way < 4; way++) {
		int bad = 0;

		for (unsigned k = 0; k < 6; k++) {
			uint32_t c = clamps[k];
			char body[512];

			noise(in, LANES * 2);
			snprintf(body, sizeof body,
			    "ld.global.v2.u32 {%%r1, %%r2}, [%%rd1];\n"
			    "shfl.sync.%s.b32 %%r3|%%p1, %%r1, %%r2, %u, -1;\nselp.u32 %%r4, 1, 0, %%p1;\n"
			    "st.global.v2.u32 [%%rd2], {%%r3, %%r4};", ways[way], c);
			each("", body, LANES, in, 2, out, 2);
			for (int l = 0; l < LANES; l++) {
				int by = (int)(in[2 * l + 1] & 31), segment = (int)(c >> 8), clamp = (int)(c & 31);
				int first = l & segment, last = first | (clamp & ~segment), j;
				bool in_it;

				j = way == 0 ? l - by : way == 1 ? l + by : way == 2 ? l ^ by : first | (by & ~segment);
				in_it = way == 0 ? j >= last : j <= last;
				bad += out[2 * l] != in[2 * (in_it ? j : l)] || out[2 * l + 1] != in_it;
			}
		}
		ok(bad == 0, "shfl.sync.%s", ways[way]);
	}
}

/* An element of a fragment: of matrix A, B or C register `reg`, byte (of C: word)
 * e of lane l, to row and column. */
struct place {
	int	row, column;
};

static struct place
of_a(int rows, int l, int reg, int e)
{
	int i = 4 * reg + e, group = l >> 2, in_group = l % 4;
	bool upper = rows == 8 || (i / 4) % 2 == 0;	/* a0-3, a8-11 */

	return (struct place){ upper ? group : group + 8, in_group * 4 + (i & 3) +
		(rows == 16 && i >= 8 ? 16 : 0) };
}

static struct place
of_b(int l, int reg, int e)
{
	return (struct place){ l % 4 * 4 + e + 16 * reg, l >> 2 };
}

static struct place
of_c(int l, int i)
{
	return (struct place){ (l >> 2) + (i < 2 ? 0 : 8), l % 4 * 2 + (i & 1) };
}

static void
products(void)
{
	static const struct { const char *shape; int rows, k, a, b, c; } shapes[] = {
		{ "m16n8k32", 16, 32, 4, 2, 4 }, { "m16n8k16", 16, 16, 2, 1, 4 }, { "m8n8k16", 8, 16, 1, 1, 2 } };

	for (int s = 0; s < 3; s++)
		for (int types = 0; types < 4; types++) {
			uint8_t x[16][32], y[32][8];
			int32_t z[16][8];
			uint32_t in[LANES * 12], out[LANES * 4];
			int words = shapes[s].a + shapes[s].b + shapes[s].c, bad = 0, at = 10;
			char body[2048] = "", list[4][64], *p = body;

			for (int i = 0; i < 16; i++)
				for (int k = 0; k < 32; k++)
					x[i][k] = (uint8_t)below(256);
			for (int k = 0; k < 32; k++)
				for (int j = 0; j < 8; j++)
					y[k][j] = (uint8_t)below(256);
			for (int i = 0; i < 16; i++)
				for (int j = 0; j < 8; j++)
					z[i][j] = (int32_t)below(1u << 31) - (1 << 30);
			for (int l = 0; l < LANES; l++) {
				uint32_t *w = in + l * words;

				memset(w, 0, (size_t)words * 4);
				for (int r = 0; r < shapes[s].a; r++, w++)
					for (int e = 0; e < 4; e++) {
						struct place at_a = of_a(shapes[s].rows, l, r, e);

						*w |= (uint32_t)x[at_a.row][at_a.column] << 8 * e;
					}
				for (int r = 0; r < shapes[s].b; r++, w++)
					for (int e = 0; e < 4; e++) {
						struct place at_b = of_b(l, r, e);

						*w |= (uint32_t)y[at_b.row][at_b.column] << 8 * e;
					}
				for (int i = 0; i < shapes[s].c; i++)
					*w++ = (uint32_t)z[of_c(l, i).row][of_c(l, i).column];
			}
			for (int i = 0; i < words; i++)
				p += sprintf(p, "ld.global.u32 %%r%d, [%%rd1+%d];\n", 10 + i, 4 * i);
			for (int i = 0; i < 4; i++) {
				int n = i == 0 ? shapes[s].c : i == 1 ? shapes[s].a : i == 2 ? shapes[s].b : shapes[s].c;
				char *q = list[i];

				q += sprintf(q, "{");
				for (int j = 0; j < n; j++)
					q += sprintf(q, "%s%%r%d", j ? ", " : "", i == 0 ? 30 + j : at++);
				sprintf(q, "}");
			}
			p += sprintf(p, "mma.sync.aligned.%s.row.col.s32.%s.%s.s32 %s, %s, %s, %s;\n", shapes[s].shape,
			    types & 1 ? "u8" : "s8", types & 2 ? "u8" : "s8", list[0], list[1], list[2], list[3]);
			for (int i = 0; i < shapes[s].c; i++)
				p += sprintf(p, "st.global.u32 [%%rd2+%d], %%r%d;\n", 4 * i, 30 + i);
			each("", body, LANES, in, (unsigned)words, out, (unsigned)shapes[s].c);
			for (int l = 0; l < LANES; l++)
				for (int i = 0; i < shapes[s].c; i++) {
					struct place to = of_c(l, i);
					uint32_t sum = (uint32_t)z[to.row][to.column];

					for (int k = 0; k < shapes[s].k; k++) {
						int u = x[to.row][k], v = y[k][to.column];

						u = types & 1 || u < 128 ? u : u - 256;
						v = types & 2 || v < 128 ? v : v - 256;
						sum += (uint32_t)(u * v);
					}
					bad += out[l * shapes[s].c + i] != sum;
				}
			ok(bad == 0, "mma %s %s %s", shapes[s].shape, types & 1 ? "u8" : "s8", types & 2 ? "u8" : "s8");
		}
}

/* A thread's register has row lane / 4, elements 2 (lane % 4) and the next, of
 * each matrix; turned, of its transpose. */
static void
matrices(void)
{
	for (int n = 1; n <= 4; n *= 2)
		for (int turned = 0; turned < 2; turned++) {
			uint32_t in[LANES * 4], out[LANES * 4];
			const uint16_t *half = (const uint16_t *)in;
			char body[1024];
			int bad = 0;

			noise(in, LANES * 4);
			/* Lane l's row goes to row 31 - l of shared memory. */
			snprintf(body, sizeof body,
			    "ld.global.v4.u32 {%%r1, %%r2, %%r3, %%r4}, [%%rd1];\nmov.u32 %%r5, s;\nsub.s32 %%r6, 31, %%r0;\n"
			    "mad.lo.s32 %%r5, %%r6, 16, %%r5;\nst.shared.v4.u32 [%%r5], {%%r1, %%r2, %%r3, %%r4};\n"
			    "bar.warp.sync 0xffffffff;\n"
			    "ldmatrix.sync.aligned.m8n8.x%d%s.shared.b16 {%s}, [%%r5];\n"
			    "st.global.v4.u32 [%%rd2], {%%r10, %%r11, %%r12, %%r13};", n, turned ? ".trans" : "",
			    n == 1 ? "%r10" : n == 2 ? "%r10, %r11" : "%r10, %r11, %r12, %r13");
			each(".shared .align 16 .b8 s[512];", body, LANES, in, 4, out, 4);
			for (int l = 0; l < LANES; l++)
				for (int j = 0; j < n; j++)
					for (int e = 0; e < 2; e++) {
						int row = l / 4, column = 2 * (l % 4) + e;
						uint16_t want = turned ? half[8 * (8 * j + column) + row] :
						    half[8 * (8 * j + row) + column];

						bad += (uint16_t)(out[4 * l + j] >> 16 * e) != want;
					}
			ok(bad == 0, "ldmatrix x%d%s", n, turned ? " trans" : "");
		}
}

/* Copies are there once they were waited for, and not before. */
static void
copies(void)
{
	uint32_t in[LANES * 4], out[LANES * 4];
	int bad = 0;

	noise(in, LANES * 4);
	each(".shared .align 16 .b8 s[1024];",
	    "mov.u32 %r1, s;\nmad.lo.s32 %r1, %r0, 16, %r1;\n"
	    "cp.async.cg.shared.global [%r1], [%rd1], 16;\ncp.async.commit_group;\n"
	    "cp.async.ca.shared.global [%r1+512], [%rd1], 4;\ncp.async.ca.shared.global [%r1+520], [%rd1], 8, 4;\n"
	    "cp.async.commit_group;\nld.shared.u32 %r2, [%r1];\ncp.async.wait_group 1;\n"
	    "ld.shared.u32 %r3, [%r1+12];\ncp.async.wait_group 0;\n"
	    "ld.shared.u32 %r5, [%r1+512];\nld.shared.v2.u32 {%r6, %r7}, [%r1+520];\nsub.s32 %r6, %r6, %r5;\n"
	    "or.b32 %r6, %r6, %r7;\nst.global.v4.u32 [%rd2], {%r2, %r3, %r5, %r6};\n", LANES, in, 4, out, 4);
	for (int l = 0; l < LANES; l++)
		bad += out[4 * l] != 0xffffffff || out[4 * l + 1] != in[4 * l + 3] || out[4 * l + 2] != in[4 * l] ||
		    out[4 * l + 3] != 0;
	ok(bad == 0, "cp.async");
}

/* Lanes go as often around as they say, part in branches and meet again. */
static void
apart(void)
{
	uint32_t in[LANES], out[LANES * 2];
	int bad = 0;

	for (uint32_t l = 0; l < LANES; l++)
		in[l] = (uint32_t)below(40);
	each("", "ld.global.u32 %r1, [%rd1];\nmov.u32 %r2, 0;\nmov.u32 %r3, 0;\n"
	    "again:\nsetp.ge.u32 %p1, %r2, %r1;\n@%p1 bra done;\nand.b32 %r4, %r2, 1;\nsetp.eq.s32 %p2, %r4, 0;\n"
	    "@!%p2 bra odd;\nadd.s32 %r3, %r3, %r2;\nbra.uni next;\nodd:\nadd.s32 %r3, %r3, 1000;\n"
	    "next:\nadd.s32 %r2, %r2, 1;\nbra.uni again;\n"
	    "done:\nshfl.sync.bfly.b32 %r5, %r3, 1, 31, 0xffffffff;\n{ .reg .b32 %r3; mov.b32 %r3, %r5;\n"
	    "st.global.u32 [%rd2+4], %r3; }\nst.global.u32 [%rd2], %r3;\n", LANES, in, 1, out, 2);
	for (int l = 0; l < LANES; l++) {
		uint32_t sum = 0;

		for (uint32_t i = 0; i < in[l]; i++)
			sum += i % 2 ? 1000 : i;
		bad += out[2 * l] != sum || out[2 * (l ^ 1) + 1] != sum;
	}
	ok(bad == 0, "lanes part and meet again");
}

static float
half_value(uint16_t h)
{
	int e = h >> 10 & 31, m = h & 1023;
	float x = e == 31 ? m ? NAN : INFINITY : e ? ldexpf((float)(1024 + m), e - 25) : ldexpf((float)m, -24);

	return h & 0x8000 ? -x : x;
}

static bool
near_half(float x, uint16_t h)
{
	double d, best;

	if (isnan(x))
		return (h & 0x7fff) > 0x7c00;
	if (!!signbit(x) != h >> 15)
		return false;
	if (fabsf(x) >= 65520)
		return (h & 0x7fff) == 0x7c00;
	/* No neighbour is nearer, and a tie is even. */
	d = fabs((double)x - (double)half_value(h));
	for (int k = -1; k <= 1; k += 2) {
		if ((h & 0x7fff) == 0 && k < 0)
			continue;
		best = fabs((double)x - (double)half_value((uint16_t)(h + k)));
		if ((h & 0x7fff) == 0x7bff && k > 0)
			best = fabs(fabs((double)x) - 65536);
		if (d > best || (d == best && h % 2))
			return false;
	}
	return true;
}

static void
halves(void)
{
	enum { THREADS = 1024 };
	static uint32_t in[THREADS], out[THREADS * 2];
	int bad = 0, worse = 0;

	for (int round = 0; round < 64; round++) {
		for (uint32_t i = 0; i < THREADS; i++)
			in[i] = (uint32_t)round * THREADS + i;
		each("", "ld.global.u16 %h1, [%rd1];\ncvt.f32.f16 %f1, %h1;\nst.global.f32 [%rd2], %f1;\n"
		    "cvt.rn.f16.f32 %h2, %f1;\ncvt.u32.u16 %r1, %h2;\nst.global.u32 [%rd2+4], %r1;\n", THREADS, in, 1,
		    out, 2);
		for (uint32_t i = 0; i < THREADS; i++) {
			float got, want = half_value((uint16_t)in[i]);

			memcpy(&got, &out[2 * i], 4);
			bad += isnan(want) ? !isnan(got) : memcmp(&got, &want, 4) != 0 || out[2 * i + 1] != in[i];
		}
		/* Floats around every exponent, and ties. */
		for (uint32_t i = 0; i < THREADS; i++)
			in[i] = (uint32_t)((100 + below(48)) << 23 | below(2) << 31 |
			    (below(2) ? below(1 << 10) << 13 | (below(2) ? 0x1000 : 0) : below(1 << 23)));
		each("", "ld.global.f32 %f1, [%rd1];\ncvt.rn.f16.f32 %h2, %f1;\ncvt.u32.u16 %r1, %h2;\n"
		    "st.global.u32 [%rd2], %r1;\n", THREADS, in, 1, out, 1);
		for (uint32_t i = 0; i < THREADS; i++) {
			float x;

			memcpy(&x, &in[i], 4);
			worse += !near_half(x, (uint16_t)out[i]);
		}
	}
	ok(bad == 0, "cvt.f32.f16 and back, all");
	ok(worse == 0, "cvt.rn.f16.f32 rounds to the nearest even");
}

/* Variables, atomics, votes, 64 bits, barriers between warps. */
static void
rest(void)
{
	uint32_t in[96] = { 0 }, out[96 * 4];
	int bad = 0;

	each(".const .align 4 .b32 c[4] = {1, -2, 0x30, 4};\n.global .align 4 .u32 g[2] = {5, 6};\n"
	    ".shared .align 4 .b32 s[96];\n.extern .shared .align 16 .b8 more[];",
	    "mov.u64 %rd3, c;\nand.b32 %r1, %r0, 3;\nmad.wide.u32 %rd3, %r1, 4, %rd3;\nld.const.u32 %r2, [%rd3];\n"
	    "ld.const.s32 %r3, [c+4];\nadd.s32 %r2, %r2, %r3;\nst.global.u32 [%rd2], %r2;\n"
	    "mov.u64 %rd4, g;\natom.global.add.u32 %r4, [%rd4], 1;\nred.global.max.u32 [g+4], %r0;\n"
	    "mov.u32 %r5, s;\nmad.lo.s32 %r6, %r0, 4, %r5;\nst.shared.u32 [%r6], %r0;\nbar.sync 0;\n"
	    "sub.s32 %r7, 95, %r0;\nmad.lo.s32 %r8, %r7, 4, %r5;\nld.shared.u32 %r9, [%r8];\n"
	    "st.global.u32 [%rd2+4], %r9;\nld.global.u32 %r10, [g+4];\nbar.sync 0, 96;\n"
	    "atom.global.add.u32 %r11, [g], 0;\nst.global.u32 [%rd2+8], %r11;\n"
	    "setp.lt.u32 %p1, %r1, 2;\nvote.sync.ballot.b32 %r12, %p1, -1;\nactivemask.b32 %r13;\n"
	    "and.b32 %r12, %r12, %r13;\nredux.sync.add.u32 %r14, %r1, 0xffffffff;\nadd.u32 %r12, %r12, %r14;\n"
	    "st.global.u32 [%rd2+12], %r12;\nbar.sync 1;\n", 96, in, 1, out, 4);
	for (int i = 0; i < 96; i++) {
		static const int c[] = { 1, -2, 0x30, 4 };

		bad += (int)out[4 * i] != c[i & 3] - 2 || out[4 * i + 1] != (uint32_t)(95 - i) ||
		    out[4 * i + 2] != 5 + 96 || out[4 * i + 3] != 0x33333333 + 48;
	}
	ok(bad == 0, "variables, atomics, barriers, votes");
}

/* Text that the driver's assembler refuses, and what it says. */
static void
refused(void)
{
	static const struct { const char *body, *says; } all[] = {
		{ "ex2.approx.f32 %f1, %f2;", "Unknown instruction 'ex2.approx.f32'" },
		{ "add.s32 %r1, %r2, %f1;", "Arguments mismatch" }, { "add.s64 %rd1, %rd2, %r1;", "Arguments mismatch" },
		{ "add.s32 %r1, %r2, %q1;", "Unknown symbol '%q1'" }, { "add.s32 %r1, %r2, %r64;", "Unknown symbol '%r64'" },
		{ "bra nowhere;", "Label 'nowhere' is not there" }, { "mul.f32.rn %f1, %f1, %f1;", "Unknown instruction" },
		{ "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%r1, %r2}, {%r1, %r2, %r3, %r4}, {%r5, %r6}, "
		    "{%r1, %r2, %r3, %r4};", "registers are wanted" },
		{ "cp.async.cg.shared.global [%r1], [%rd1], 8;", "of 8 bytes" }, { "cvt.f16.f32 %h1, %f1;", "Unknown" },
		{ ".shared .b8 s[49153]; mov.u32 %r1, s;", "uses too much shared data" }, { "ld.global.u32 %r1, [%r2];", "an address of" },
		{ "mov.u32 %tid.x, 0;", "special register" }, { "add.s32 %r1, %r2 %r3;", "syntax error" },
	};
	cu_module m;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		cu_result r = load(module_text("", "", all[i].body), &m);

		ok(r == 218 && strstr(log_text, all[i].says) && strstr(log_text, "line "), "refused: %.40s", all[i].body);
		if (r != 218 || !strstr(log_text, all[i].says))
			printf("# %d: %s\n", r, log_text);
	}
	ok(load(".version 9.0\n.target sm_80\n.address_size 64\n", &m) == 222, "refused: text of a later version");
	ok(load(".version 7.8\n.target sm_100\n.address_size 64\n", &m) == 209, "refused: text for a later card");
	ok(load(".version 7.0\n.target sm_80\n.address_size 64\n.entry k() { griddepcontrol.wait; }\n", &m) == 218,
	    "refused: what came with a later version");
}

/* Kernels that fail: each in a process of its own, since nothing works after. */
static int
fails(const char *variables, const char *body, unsigned threads)
{
	cu_address at = device(NULL, 256);
	void *arg[] = { &at };
	cu_module m;
	cu_function f;
	cu_result r;

	if (load(module_text(".param .u64 out", variables, body), &m)) {
		fprintf(stderr, "%s\n", log_text);
		return 1;
	}
	MUST(cuModuleGetFunction, &f, m, "k");
	MUST(cuLaunchKernel, f, 1, 1, 1, threads, 1, 1, 0, stream, arg, NULL);
	r = cuStreamSynchronize(stream);
	if (r && cuMemcpyHtoDAsync_v2(at, &at, 8, stream) != r)
		r = 2;
	cuModuleUnload(m);
	cuMemFree_v2(at);
	cuStreamDestroy_v2(stream);
	return r;
}

struct failing {
	const char	*name, *variables, *body;
	unsigned	 threads;
	int		 status;
};
static const struct failing failing[] = {
	{ "a read past an allocation", "", "ld.param.u64 %rd1, [out];\nld.global.u8 %h1, [%rd1+256];", 32, 700 },
	{ "a write before it", "", "ld.param.u64 %rd1, [out];\nst.global.u8 [%rd1+-1], %h1;", 32, 700 },
	{ "one lane's read past it", "",
	    "ld.param.u64 %rd1, [out];\nmov.u32 %r1, %tid.x;\nmad.wide.u32 %rd1, %r1, 8, %rd1;\n"
	    "ld.global.u32 %r2, [%rd1+8];", 32, 700 },
	{ "a misaligned read", "", "ld.param.u64 %rd1, [out];\nld.global.u32 %r1, [%rd1+2];", 32, 716 },
	{ "a misaligned vector", "", "ld.param.u64 %rd1, [out];\nld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1+8];",
	    32, 716 },
	{ "a read past shared memory", ".shared .b32 s[4];", "ld.shared.u32 %r1, [s+16];", 32, 700 },
	{ "a read of address 0", "", "mov.u64 %rd1, 0;\nld.u32 %r1, [%rd1];", 1, 700 },
	{ "a constant that is written", ".const .b32 c[4];", "mov.u64 %rd1, c;\nst.global.u32 [%rd1], 1;", 1, 700 },
	{ "mma by half a warp", "",
	    "mov.u32 %r1, %laneid;\nsetp.gt.u32 %p1, %r1, 15;\n@%p1 bra out;\n"
	    "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {%r2, %r3}, {%r4}, {%r5}, {%r6, %r7};\nout:", 32, 715 },
	{ "lanes that wait at different barriers", "",
	    "mov.u32 %r1, %laneid;\nsetp.gt.u32 %p1, %r1, 15;\n@%p1 bra other;\nbar.sync 0;\nbra.uni out;\n"
	    "other:\nbar.sync 0;\nout:", 32, 715 },
	{ "a lane that is not among those it waits for", "", "shfl.sync.idx.b32 %r1, %r2, 0, 31, 0xffff;", 32, 715 },
	{ "a barrier of more threads than there are", "", "bar.sync 0, 64;", 32, 715 },
	{ "a barrier that one warp does not reach", "",
	    "mov.u32 %r1, %tid.x;\nsetp.gt.u32 %p1, %r1, 31;\n@%p1 bra out;\nbar.sync 1, 64;\nout:", 64, 719 },
	{ "a race of two warps", ".shared .b32 s[64];",
	    "mov.u32 %r1, %tid.x;\nmov.u32 %r2, s;\nmad.lo.s32 %r3, %r1, 4, %r2;\nst.shared.u32 [%r3], %r1;\n"
	    "bar.sync 0;\nst.shared.u32 [%r3], %r2;\nxor.b32 %r1, %r1, 32;\nmad.lo.s32 %r3, %r1, 4, %r2;\n"
	    "ld.shared.u32 %r4, [%r3];", 64, 719 },
	{ "a race in a warp", ".shared .b32 s[64];",
	    "mov.u32 %r1, %tid.x;\nmov.u32 %r2, s;\nmad.lo.s32 %r3, %r1, 4, %r2;\nld.shared.u32 %r4, [%r3];\n"
	    "xor.b32 %r1, %r1, 1;\nmad.lo.s32 %r3, %r1, 4, %r2;\nst.shared.u32 [%r3], %r1;", 64, 719 },
	{ "no race: bar.warp.sync", ".shared .b32 s[64];",
	    "mov.u32 %r1, %tid.x;\nmov.u32 %r2, s;\nmad.lo.s32 %r3, %r1, 4, %r2;\nld.shared.u32 %r4, [%r3];\n"
	    "bar.warp.sync -1;\nxor.b32 %r1, %r1, 1;\nmad.lo.s32 %r3, %r1, 4, %r2;\nst.shared.u32 [%r3], %r1;", 64, 0 },
	{ "nothing", "", "ld.param.u64 %rd1, [out];\nld.global.u8 %h1, [%rd1+255];", 32, 0 },
};

static void
broken(const char *self)
{
	for (size_t i = 0; i < sizeof failing / sizeof *failing; i++) {
		char command[4096];
		int status;

		fflush(stdout);
		snprintf(command, sizeof command, "STUB_CUDA_RACES=1 exec '%s' %zu 2>/dev/null", self, i);
		status = system(command);
		ok(status == 0, "fails: %s", failing[i].name);
	}
}

/* Limits of a launch; a kernel that records its launch, for graphs. */
static void
launches(void)
{
	static const struct { unsigned grid[3], block[3], shared; cu_result r; } all[] = {
		{ { 1, 65535, 1 }, { 32, 1, 1 }, 0, 0 }, { { 1, 65536, 1 }, { 32, 1, 1 }, 0, 1 },
		{ { 1, 1, 65536 }, { 32, 1, 1 }, 0, 1 }, { { 0, 1, 1 }, { 32, 1, 1 }, 0, 1 },
		{ { 1, 1, 1 }, { 32, 33, 1 }, 0, 1 }, { { 1, 1, 1 }, { 1, 1, 65 }, 0, 1 },
		{ { 1, 1, 1 }, { 32, 1, 1 }, 48 << 10, 0 }, { { 1, 1, 1 }, { 32, 1, 1 }, (48 << 10) + 1, 1 },
	};
	cu_module m;
	cu_function f;
	cu_graph graph;
	cu_exec exec;
	uint32_t zero = 0, n;
	cu_address at = device(&zero, 4), fresh = device(NULL, 4);
	void *arg[] = { &at };

	must(load(module_text(".param .u64 out", "", "ld.param.u64 %rd1, [out];\nred.global.add.u32 [%rd1], 1;"),
	    &m), "load");
	MUST(cuModuleGetFunction, &f, m, "k");
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		const unsigned *g = all[i].grid, *b = all[i].block;

		if (i > 0)
			ok(cuLaunchKernel(f, g[0], g[1], g[2], b[0], b[1], b[2], all[i].shared, stream, arg, NULL) ==
			    all[i].r, "a launch of %u %u %u by %u %u %u, %u bytes", g[0], g[1], g[2], b[0], b[1], b[2],
			    all[i].shared);
	}
	MUST(cuMemcpyDtoHAsync_v2, &n, fresh, 4, stream);
	MUST(cuStreamSynchronize, stream);
	ok(n == 0xffffffff, "nothing is in memory that nobody wrote");
	ok(cuMemcpyDtoHAsync_v2(&n, fresh, 5, stream) == 1, "a copy past an allocation");
	MUST(cuMemcpyHtoDAsync_v2, at, &zero, 4, stream);
	MUST(cuStreamBeginCapture_v2, stream, THREAD_LOCAL);
	MUST(cuLaunchKernel, f, 2, 1, 1, 10, 1, 1, 0, stream, arg, NULL);
	MUST(cuMemcpyDtoHAsync_v2, &n, at, 4, stream);
	MUST(cuStreamEndCapture, stream, &graph);
	MUST(cuGraphInstantiateWithFlags, &exec, graph, 0);
	MUST(cuStreamSynchronize, stream);
	ok(n == 0xffffffff, "what is recorded does not run");
	for (int i = 0; i < 3; i++)
		MUST(cuGraphLaunch, exec, stream);
	MUST(cuStreamSynchronize, stream);
	ok(n == 60, "a graph runs as often as it is launched");
	cuGraphExecDestroy(exec);
	cuGraphDestroy(graph);
	MUST(cuStreamBeginCapture_v2, stream, THREAD_LOCAL);
	ok(cuStreamSynchronize(stream) == 900, "a stream that records cannot be waited for");
	ok(cuStreamEndCapture(stream, &graph) == 901, "and what it recorded is spoilt");
	cuModuleUnload(m);
	cuMemFree_v2(at);
	cuMemFree_v2(fresh);
}

static void
set_up(void)
{
	cu_context context;

	MUST(cuInit, 0);
	MUST(cuDevicePrimaryCtxRetain, &context, 7);
	MUST(cuCtxSetCurrent, context);
	MUST(cuStreamCreate, &stream, NON_BLOCKING);
}

int
main(int argc, char **argv)
{
	set_up();
	if (argc > 1) {
		const struct failing *f = &failing[atoi(argv[1])];

		return fails(f->variables, f->body, f->threads) != f->status;
	}
	words();
	shuffles();
	products();
	matrices();
	copies();
	apart();
	halves();
	rest();
	refused();
	broken(argv[0]);
	launches();
	cuStreamDestroy_v2(stream);
	printf("1..%d\n", tests);
	return failed > 0;
}
