/* SPDX-License-Identifier: MIT */
/* gpu_kernels.c -- what kernels are called, and their calls. */
#include <stdarg.h>
#include <stdio.h>

#include <apr/codebook.h>

#include "gpu.h"

const char *const gpu_kernel_names[K_KERNELS] = {
	[K_ZERO] = "zero", [K_NORM] = "norm", [K_GATE] = "gate",
	[K_ACTIVATE] = "activate", [K_ADD] = "add", [K_GATHER] = "gather",
	[K_SCATTER] = "scatter", [K_REMEMBER] = "remember", [K_ATTEND] = "attend",
	[K_CONVOLVE] = "convolve", [K_UNIT] = "unit", [K_RECUR] = "recur",
	[K_QUANTIZE] = "quantize", [K_F32] = "multiply_f32", [K_F16] = "multiply_f16",
	[K_BF16] = "multiply_bf16", [K_F64] = "multiply_f64",
	[K_F8_E4M3] = "multiply_f8_e4m3", [K_F8_E5M2] = "multiply_f8_e5m2",
	[K_SAMPLE_BEGIN] = "sample_begin", [K_SAMPLE_ADJUST] = "sample_adjust",
	[K_SAMPLE_TOP] = "sample_top", [K_SAMPLE_WEIGH] = "sample_weigh",
	[K_SAMPLE_SUM] = "sample_sum", [K_SAMPLE_SELECT] = "sample_select",
	[K_SAMPLE_SETTLE] = "sample_settle", [K_SAMPLE_DRAW] = "sample_draw",
	[K_PACKED] = "multiply", [K_VALUE] = "multiply_value",
};

/* Types as groups.cl calls them, and the points of those that have some. */
static const struct packed {
	int		 ggml;
	const char	*name;
	const uint16_t	*grid;
	size_t		 points;
} packed[] = {
	{ 2, "q4_0", NULL, 0 }, { 3, "q4_1", NULL, 0 }, { 6, "q5_0", NULL, 0 },
	{ 7, "q5_1", NULL, 0 }, { 8, "q8_0", NULL, 0 }, { 10, "q2_k", NULL, 0 },
	{ 11, "q3_k", NULL, 0 }, { 12, "q4_k", NULL, 0 }, { 13, "q5_k", NULL, 0 },
	{ 14, "q6_k", NULL, 0 }, { 20, "iq4_nl", NULL, 0 }, { 23, "iq4_xs", NULL, 0 },
	{ 34, "tq1_0", NULL, 0 }, { 35, "tq2_0", NULL, 0 }, { 39, "mxfp4", NULL, 0 },
	{ 40, "nvfp4", NULL, 0 }, { 41, "q1_0", NULL, 0 }, { 42, "q2_0", NULL, 0 },
	{ 16, "iq2_xxs", grid_iq2_xxs, 256 }, { 17, "iq2_xs", grid_iq2_xs, 512 },
	{ 18, "iq3_xxs", grid_iq3_xxs, 256 }, { 19, "iq1_s", grid_iq1_s, 2048 },
	{ 21, "iq3_s", grid_iq3_s, 512 }, { 22, "iq2_s", grid_iq2_s, 1024 },
	{ 29, "iq1_m", grid_iq1_s, 2048 },
};

/* Those that ggml has no number for. */
static const struct {
	const struct type *type;
	struct packed	 p;
} others[] = {
	{ &type_apr_q4, { -1, "apr_q4", NULL, 0 } }, { &type_apr_q8, { -1, "apr_q8", NULL, 0 } },
	{ &type_lattice_q4, { -1, "lattice_q4", NULL, 0 } },
};
enum { PACKED = sizeof packed / sizeof *packed, OTHERS = sizeof others / sizeof *others };
_Static_assert(PACKED + OTHERS <= GPU_TYPES, "each has a slot");

int
gpu_type_slot(const struct type *t)
{
	for (int i = 0; i < OTHERS; i++)
		if (t == others[i].type)
			return PACKED + i;
	for (int i = 0; i < PACKED; i++)
		if (t->ggml == packed[i].ggml)
			return i;
	return -1;
}

static const struct packed *
find(const struct type *t)
{
	int i = gpu_type_slot(t);

	return i < 0 ? NULL : i < PACKED ? &packed[i] : &others[i - PACKED].p;
}

const char *
gpu_type_name(const struct type *t)
{
	const struct packed *p = find(t);

	return p ? p->name : NULL;
}

const uint16_t *
gpu_type_grid(const struct type *t, size_t *points)
{
	const struct packed *p = find(t);

	if (!p)
		return NULL;
	*points = p->points;
	return p->grid;
}

void
gpu_type_flags(const struct type *t, char *to, size_t room)
{
	const struct dot_type *d = dot_type(t);

	if (d)
		snprintf(to, room, "%u", d->flags);
	else
		snprintf(to, room, "%s_flags", gpu_type_name(t));
}

static void
value(struct gpu_call *c, struct gpu_arg a)
{
	c->arg[c->nargs++] = a;
}

/* A buffer and the offset in it. */
static void
address(struct gpu *g, struct gpu_call *c, const void *p)
{
	const struct gpu_range *r = p ? gpu_range(g, p) : NULL;

	value(c, (struct gpu_arg){ .base = true, .mem = r ? r->mem : NULL });
	value(c, (struct gpu_arg){ .bytes = 8, .v.u64 = r ? (uintptr_t)p - r->at : UINT64_MAX });
}

void
gpu_run(struct gpu *g, enum gpu_kernel k, const struct type *type, const size_t items[3],
    size_t group, const char *form, ...)
{
	struct gpu_call c = { .kernel = k, .type = type, .group = (uint32_t)group,
	    .groups = { (uint32_t)((items[0] + group - 1) / group), (uint32_t)items[1],
	    (uint32_t)items[2] } };
	va_list ap;

	if (g->failed || !items[0] || !items[1] || !items[2])
		return;
	/* Whatever is no product may change what was coded. */
	if (k < K_F32 || (k > K_F8_E5M2 && k < K_PACKED))
		g->coded.x = NULL;
	va_start(ap, form);
	for (; *form && c.nargs + 2 <= GPU_ARGS; form++)
		switch (*form) {
		case 'p': address(g, &c, va_arg(ap, const void *)); break;
		case 'u': value(&c, (struct gpu_arg){ .bytes = 4, .v.u32 = va_arg(ap, unsigned) }); break;
		case 'z': value(&c, (struct gpu_arg){ .bytes = 8, .v.u64 = va_arg(ap, size_t) }); break;
		default: value(&c, (struct gpu_arg){ .bytes = 4, .v.f32 = (float)va_arg(ap, double) });
		}
	va_end(ap);
	if (!g->failed)
		gpu_fail(g, type ? gpu_type_name(type) : gpu_kernel_names[k], g->driver->call(g, &c));
}
