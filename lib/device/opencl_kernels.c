/* SPDX-License-Identifier: MIT */
/* opencl_kernels.c -- kernels from the text in the library, and their calls. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr/codebook.h>

#include "opencl.h"

/* lib/device/gpu, as the Makefile puts it together. */
extern const char device_columns[], device_packed[];

static const char *const names[KERNELS] = {
	[K_ZERO] = "zero", [K_NORM] = "norm", [K_ROPE] = "rope", [K_GATE] = "gate",
	[K_ACTIVATE] = "activate", [K_ADD] = "add", [K_GATHER] = "gather",
	[K_SCATTER] = "scatter", [K_REMEMBER] = "remember", [K_ATTEND] = "attend",
	[K_CONVOLVE] = "convolve", [K_UNIT] = "unit", [K_RECUR] = "recur",
	[K_QUANTIZE] = "quantize", [K_F32] = "multiply_f32", [K_F16] = "multiply_f16",
	[K_BF16] = "multiply_bf16",
};

/* Types as groups.cl calls them, and their points. */
struct packed {
	int		 ggml;
	const char	*name;
	const uint16_t	*grid;
	size_t		 points;
};

static const struct packed packed[] = {
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

static const struct packed *
find(const struct type *t)
{
	static const struct packed q4 = { -1, "apr_q4", NULL, 0 }, q8 = { -1, "apr_q8", NULL, 0 };

	if (t == &type_apr_q4)
		return &q4;
	if (t == &type_apr_q8)
		return &q8;
	for (size_t i = 0; i < sizeof packed / sizeof *packed; i++)
		if (t->ggml == packed[i].ggml)
			return &packed[i];
	return NULL;
}

bool
opencl_has(const struct type *t)
{
	return find(t) != NULL;
}

static cl_program
compile(struct opencl *o, const char *text, const char *more, struct err *e)
{
	char options[128], log[1024] = "";
	cl_status s = 0;
	cl_program p = o->a->clCreateProgramWithSource(o->context, 1, &text, NULL, &s);

	if (!p) {
		err_set(e, "%s: a program: %s", o->choice.name, opencl_status(s));
		return NULL;
	}
	/* Nothing that lets it take liberties. */
	snprintf(options, sizeof options,
	    "-cl-std=CL1.2 -cl-fp32-correctly-rounded-divide-sqrt%s", more);
	s = o->a->clBuildProgram(p, 1, &o->choice.device, options, NULL, NULL);
	if (s == 0)
		return p;
	o->a->clGetProgramBuildInfo(p, o->choice.device, CL_PROGRAM_BUILD_LOG, sizeof log - 1,
	    log, NULL);
	o->a->clReleaseProgram(p);
	for (char *c = log; *c; c++)
		if (*c == '\n')
			*c = ' ';
	err_set(e, "%s cannot build kernels: %s: %.300s", o->choice.name, opencl_status(s), log);
	return NULL;
}

int
opencl_build(struct opencl *o, struct err *e)
{
	cl_status s = 0;

	if (!(o->program = compile(o, device_columns, "", e)))
		return -1;
	for (int i = 0; i < KERNELS; i++)
		if (!(o->kernel[i] = o->a->clCreateKernel(o->program, names[i], &s)))
			return err_set(e, "%s: kernel %s: %s", o->choice.name, names[i],
			    opencl_status(s));
	return 0;
}

static int
build_packed(struct opencl *o, const struct type *t, struct opencl_packed *to, struct err *e)
{
	const struct packed *p = find(t);
	char more[64];
	cl_status s = 0;

	if (p->grid && opencl_place(&o->d, p->grid, p->points * sizeof *p->grid, e) < 0)
		return -1;
	to->grid = p->grid;
	snprintf(more, sizeof more, " -DTYPE=%s -DFLAGS=%u%s", p->name, dot_type(t)->flags,
	    p->grid ? " -DPOINTS" : "");
	if (!(to->program = compile(o, device_packed, more, e)))
		return -1;
	if (!(to->kernel = o->a->clCreateKernel(to->program, "multiply", &s)))
		return err_set(e, "%s: kernel for %s: %s", o->choice.name, t->name,
		    opencl_status(s));
	return 0;
}

const struct opencl_packed *
opencl_packed(struct opencl *o, const struct type *t)
{
	int slot = t == &type_apr_q4 ? KERNEL_APR_Q4 : t == &type_apr_q8 ? KERNEL_APR_Q8 : t->ggml;
	struct opencl_packed *p = &o->packed[slot];
	struct err e;

	if (!o->failed && !p->kernel && build_packed(o, t, p, &e) < 0) {
		o->first = e;
		o->failed = true;
	}
	return p;
}

void
opencl_kernels_release(struct opencl *o)
{
	for (int i = 0; i < KERNELS; i++)
		if (o->kernel[i])
			o->a->clReleaseKernel(o->kernel[i]);
	for (int i = 0; i < KERNEL_TYPES; i++) {
		if (o->packed[i].kernel)
			o->a->clReleaseKernel(o->packed[i].kernel);
		if (o->packed[i].program)
			o->a->clReleaseProgram(o->packed[i].program);
	}
	if (o->program)
		o->a->clReleaseProgram(o->program);
}

/* A buffer and the offset in it. */
static cl_status
address(struct opencl *o, cl_kernel k, uint32_t i, const void *p)
{
	const struct range *r = NULL;
	uint64_t offset = UINT64_MAX;
	cl_mem mem = NULL;
	cl_status s;

	if (p) {
		if (!(r = opencl_range(o, p)))
			return 0;	/* it has failed */
		mem = r->mem;
		offset = (uintptr_t)p - r->at;
	}
	s = o->a->clSetKernelArg(k, i, sizeof mem, &mem);
	return s ? s : o->a->clSetKernelArg(k, i + 1, sizeof offset, &offset);
}

static cl_status
arguments(struct opencl *o, cl_kernel k, const char *form, va_list ap)
{
	uint32_t i = 0, u;
	uint64_t z;
	float f;
	cl_status s = 0;

	for (; *form && s == 0; form++)
		switch (*form) {
		case 'p':
			s = address(o, k, i, va_arg(ap, const void *));
			i += 2;
			break;
		case 'u':
			u = va_arg(ap, unsigned);
			s = o->a->clSetKernelArg(k, i++, sizeof u, &u);
			break;
		case 'z':
			z = va_arg(ap, size_t);
			s = o->a->clSetKernelArg(k, i++, sizeof z, &z);
			break;
		default:
			f = (float)va_arg(ap, double);
			s = o->a->clSetKernelArg(k, i++, sizeof f, &f);
		}
	return s;
}

void
opencl_run(struct opencl *o, cl_kernel k, const size_t items[3], size_t group, const char *form, ...)
{
	size_t all[3] = { (items[0] + group - 1) / group * group, items[1], items[2] };
	size_t local[3] = { group, 1, 1 };
	va_list ap;
	cl_status s;

	if (o->failed || !items[0] || !items[1] || !items[2])
		return;
	va_start(ap, form);
	s = arguments(o, k, form, ap);
	va_end(ap);
	if (s == 0 && !o->failed)
		s = o->a->clEnqueueNDRangeKernel(o->queue, k, 3, NULL, all, local, 0, NULL, NULL);
	opencl_fail(o, "an operation", s);
}
