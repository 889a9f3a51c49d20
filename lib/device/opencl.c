/* SPDX-License-Identifier: MIT */
/* opencl.c -- OpenCL's memory and one queue; kernels from the text in the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu.h"
#include "opencl_api.h"

/* lib/device/gpu, as the Makefile puts it together. */
extern const char device_columns[], device_packed[];

enum { STAGES = 4, STAGE = 16 << 20 };

struct opencl {
	struct gpu	 g;
	const struct opencl_api *a;
	struct opencl_choice choice;
	cl_context	 context;
	cl_queue	 queue;
	cl_program	 program;
	cl_kernel	 kernel[K_PACKED];
	struct {
		cl_program	 program;
		cl_kernel	 kernel[K_TYPED];
	}		 packed[GPU_TYPES];	/* by slot, once they are wanted */
	struct {
		cl_mem		 mem;	/* the host's, which p is */
		unsigned char	*p;
		cl_event	 done;	/* its bytes are there; NULL: long since */
	}		 stage[STAGES];	/* once they are wanted */
	unsigned	 now;
	struct err	 why;		/* of the last failure */
};

static struct opencl *
of(struct gpu *g)
{
	return (struct opencl *)g;
}

static const char *
status(cl_status s)
{
	return s ? opencl_status(s) : NULL;
}

static cl_program
compile(struct opencl *o, const char *text, const char *more, struct err *e)
{
	char options[128], log[1024] = "";
	cl_status s = 0;
	cl_program p = o->a->clCreateProgramWithSource(o->context, 1, &text, NULL, &s);

	if (!p) {
		err_set(e, "a program: %s", opencl_status(s));
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
	err_set(e, "kernels cannot be built: %s: %.300s", opencl_status(s), log);
	return NULL;
}

static int
build(struct opencl *o, struct err *e)
{
	cl_status s = 0;

	if (!(o->program = compile(o, device_columns, "", e)))
		return err_prefix(e, "%s", o->g.name);
	for (int i = 0; i < K_PACKED; i++)
		if (!(o->kernel[i] = o->a->clCreateKernel(o->program, gpu_kernel_names[i], &s)))
			return err_set(e, "%s: kernel %s: %s", o->g.name, gpu_kernel_names[i],
			    opencl_status(s));
	return 0;
}

static cl_kernel
packed(struct opencl *o, enum gpu_kernel which, const struct type *t)
{
	int slot = gpu_type_slot(t);
	cl_kernel *k = &o->packed[slot].kernel[which - K_PACKED];
	size_t points;
	char more[96], flags[32];
	cl_status s = 0;

	if (*k)
		return *k;
	gpu_type_flags(t, flags, sizeof flags);
	snprintf(more, sizeof more, " -DTYPE=%s -DFLAGS=%s%s", gpu_type_name(t), flags,
	    gpu_type_grid(t, &points) ? " -DPOINTS" : "");
	if (!o->packed[slot].program &&
	    !(o->packed[slot].program = compile(o, device_packed, more, &o->why)))
		return NULL;
	if (!(*k = o->a->clCreateKernel(o->packed[slot].program, gpu_kernel_names[which], &s)))
		err_set(&o->why, "kernel %s: %s", gpu_kernel_names[which], opencl_status(s));
	return *k;
}

static const char *
call(struct gpu *g, const struct gpu_call *c)
{
	struct opencl *o = of(g);
	cl_kernel k = c->kernel >= K_PACKED ? packed(o, c->kernel, c->type) : o->kernel[c->kernel];
	size_t local[3] = { c->group, 1, 1 };
	size_t all[3] = { (size_t)c->groups[0] * c->group, c->groups[1], c->groups[2] };
	cl_status s = 0;

	if (!k)
		return o->why.msg;
	for (uint32_t i = 0; i < c->nargs && s == 0; i++) {
		const struct gpu_arg *a = &c->arg[i];
		cl_mem mem = a->mem;

		s = a->base ? o->a->clSetKernelArg(k, i, sizeof mem, &mem) :
		    o->a->clSetKernelArg(k, i, a->bytes, &a->v);
	}
	return status(s ? s : o->a->clEnqueueNDRangeKernel(o->queue, k, 3, NULL, all, local, 0, NULL,
	    NULL));
}

static void *
allocate(struct gpu *g, size_t bytes, const char **why)
{
	cl_status s = 0;
	cl_mem m = of(g)->a->clCreateBuffer(of(g)->context, CL_MEM_READ_WRITE, bytes, NULL, &s);

	*why = status(s);
	return m;
}

static void
let_go(struct gpu *g, void *mem)
{
	of(g)->a->clReleaseMemObject(mem);
}

static const char *
write_to(struct gpu *g, void *mem, size_t at, const void *from, size_t bytes)
{
	return status(of(g)->a->clEnqueueWriteBuffer(of(g)->queue, mem, 1, at, bytes, from, 0, NULL,
	    NULL));
}

static cl_status
open_stage(struct opencl *o, unsigned i)
{
	cl_status s = 0;

	if (!o->stage[i].mem)
		o->stage[i].mem = o->a->clCreateBuffer(o->context, CL_MEM_READ_WRITE |
		    CL_MEM_ALLOC_HOST_PTR, STAGE, NULL, &s);
	if (o->stage[i].mem && !o->stage[i].p)
		o->stage[i].p = o->a->clEnqueueMapBuffer(o->queue, o->stage[i].mem, 1, CL_MAP_WRITE,
		    0, STAGE, 0, NULL, NULL, &s);
	return s;
}

/* What the event says is only worth knowing where it is waited for. */
static cl_status
gone(struct opencl *o, unsigned i)
{
	cl_event e = o->stage[i].done;
	cl_status s = e ? o->a->clWaitForEvents(1, &e) : 0;

	if (e)
		o->a->clReleaseEvent(e);
	o->stage[i].done = NULL;
	return s;
}

static void *
stage(struct gpu *g, size_t *n, const char **why)
{
	struct opencl *o = of(g);

	*n = STAGE;
	*why = status(open_stage(o, o->now));
	if (!*why)
		*why = status(gone(o, o->now));
	return *why ? NULL : o->stage[o->now].p;
}

/* The last of several says when all are there: the queue is in order. */
static const char *
send(struct gpu *g, void *mem, size_t at, size_t skip, size_t n)
{
	struct opencl *o = of(g);
	cl_event *e = &o->stage[o->now].done;

	if (*e)
		o->a->clReleaseEvent(*e);
	*e = NULL;
	return status(o->a->clEnqueueWriteBuffer(o->queue, mem, 0, at, n,
	    o->stage[o->now].p + skip, 0, NULL, e));
}

static const char *
sent(struct gpu *g)
{
	of(g)->now = (of(g)->now + 1) % STAGES;
	return NULL;
}

static const char *
read_from(struct gpu *g, void *to, void *mem, size_t at, size_t bytes)
{
	return status(of(g)->a->clEnqueueReadBuffer(of(g)->queue, mem, 1, at, bytes, to, 0, NULL,
	    NULL));
}

static const char *
copy(struct gpu *g, void *to, size_t to_at, void *from, size_t from_at, size_t bytes)
{
	return status(of(g)->a->clEnqueueCopyBuffer(of(g)->queue, from, to, from_at, to_at, bytes, 0,
	    NULL, NULL));
}

static const char *
finish(struct gpu *g)
{
	return status(of(g)->a->clFinish(of(g)->queue));
}

static void
opencl_close(struct gpu *g)
{
	struct opencl *o = of(g);

	for (unsigned i = 0; i < STAGES; i++) {
		gone(o, i);
		if (o->stage[i].p)
			o->a->clEnqueueUnmapMemObject(o->queue, o->stage[i].mem, o->stage[i].p, 0,
			    NULL, NULL);
	}
	if (o->queue)
		o->a->clFinish(o->queue);
	for (int i = 0; i < STAGES; i++)
		if (o->stage[i].mem)
			o->a->clReleaseMemObject(o->stage[i].mem);
	for (int i = 0; i < K_PACKED; i++)
		if (o->kernel[i])
			o->a->clReleaseKernel(o->kernel[i]);
	for (int i = 0; i < GPU_TYPES; i++) {
		for (int k = 0; k < K_TYPED; k++)
			if (o->packed[i].kernel[k])
				o->a->clReleaseKernel(o->packed[i].kernel[k]);
		if (o->packed[i].program)
			o->a->clReleaseProgram(o->packed[i].program);
	}
	if (o->program)
		o->a->clReleaseProgram(o->program);
	if (o->queue)
		o->a->clReleaseCommandQueue(o->queue);
	if (o->context)
		o->a->clReleaseContext(o->context);
	free(o);
}

static const struct gpu_driver driver = {
	.close = opencl_close, .alloc = allocate, .free = let_go, .write = write_to,
	.stage = stage, .send = send, .sent = sent,
	.read = read_from, .copy = copy, .call = call, .finish = finish,
};

static int
begin(struct opencl *o, struct err *e)
{
	cl_status s = 0;

	if (!(o->a = opencl_api(e)) || opencl_choose(o->a, &o->choice, e) < 0)
		return -1;
	snprintf(o->g.name, sizeof o->g.name, "%s", o->choice.name);
	o->g.memory = o->choice.memory;
	o->g.most = o->choice.most;
	if (!(o->context = o->a->clCreateContext(NULL, 1, &o->choice.device, NULL, NULL, &s)))
		return err_set(e, "%s: a context: %s", o->choice.name, opencl_status(s));
	if (!(o->queue = o->a->clCreateCommandQueue(o->context, o->choice.device, 0, &s)))
		return err_set(e, "%s: a queue: %s", o->choice.name, opencl_status(s));
	return build(o, e);
}

static struct device *
opencl_open(unsigned jobs, struct err *e)
{
	struct opencl *o = calloc(1, sizeof *o);

	(void)jobs;
	if (!o) {
		err_set(e, "out of memory");
		return NULL;
	}
	o->g.d = (struct device){ &gpu_ops, "opencl" };
	o->g.driver = &driver;
	if (begin(o, e) == 0)
		return &o->g.d;
	opencl_close(&o->g);
	return NULL;
}

const struct device_kind device_opencl = { "opencl", opencl_open, opencl_list };
