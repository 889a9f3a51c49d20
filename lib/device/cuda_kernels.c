/* SPDX-License-Identifier: MIT */
/* cuda_kernels.c -- kernels from the PTX in the library, each once it is wanted. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda_attend.h"
#include "cuda_kernels.h"
#include "cuda_tiles.h"

struct loaded {
	cu_module	 module;
	cu_function	 function[K_TYPED];
	cu_module	 tiles;
	cu_function	 tile[CUDA_TILES];
};

struct cuda_kernels {
	const struct cuda_api *a;
	cu_context	 context;
	struct cuda_graphs *graphs;
	unsigned	 arch;
	int		 driver;
	cu_module	 columns, attention;
	cu_function	 kernel[K_PACKED], floats[CUDA_FLOATS], attend[CUDA_ATTENDS];
	struct loaded	 packed[GPU_TYPES];	/* by slot */
	char		 why[512];	/* the last failure */
};

struct cuda_kernels *
cuda_kernels_new(const struct cuda_api *a, cu_context context, struct cuda_graphs *graphs,
    unsigned arch, int driver)
{
	struct cuda_kernels *c = calloc(1, sizeof *c);

	if (c) {
		c->a = a;
		c->context = context;
		c->graphs = graphs;
		c->arch = arch;
		c->driver = driver;
	}
	return c;
}

void
cuda_kernels_free(struct cuda_kernels *c)
{
	if (!c)
		return;
	for (int i = 0; i < GPU_TYPES; i++) {
		if (c->packed[i].module)
			c->a->cuModuleUnload(c->packed[i].module);
		if (c->packed[i].tiles)
			c->a->cuModuleUnload(c->packed[i].tiles);
	}
	if (c->columns)
		c->a->cuModuleUnload(c->columns);
	if (c->attention)
		c->a->cuModuleUnload(c->attention);
	free(c);
}

/* Modules are loaded into the context that the thread has. */
static const char *
enter(struct cuda_kernels *c)
{
	return CU_CALL(c, cuCtxSetCurrent, c->context);
}

/* The newest kernels of that name which device and driver take. */
static const struct cuda_module *
module_of(const struct cuda_kernels *c, const char *name)
{
	const struct cuda_module *best = NULL;

	for (const struct cuda_module *m = cuda_modules; m->name; m++)
		if (!strcmp(m->name, name) && m->arch <= c->arch && m->driver <= c->driver)
			best = m;
	return best;
}

static const char *
load(struct cuda_kernels *c, const char *name, cu_module *to)
{
	const struct cuda_module *m = module_of(c, name);
	int option[] = { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES };
	char log[256] = "";
	void *value[] = { log, (void *)(uintptr_t)(sizeof log - 1) };
	size_t n;

	if (!m) {
		snprintf(c->why, sizeof c->why, "there are no kernels \"%s\" for it", name);
		return c->why;
	}
	if (!CU_CALL(c, cuModuleLoadDataEx, to, m->ptx, 2, option, value))
		return NULL;
	*to = NULL;
	n = strlen(c->why);
	for (char *p = log; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	snprintf(c->why + n, sizeof c->why - n, " (%s for sm_%u)%s%.250s", name, m->arch,
	    log[0] ? ": " : "", log);
	return c->why;
}

static const char *
function(struct cuda_kernels *c, cu_module m, const char *name, cu_function *to)
{
	size_t n;

	if (!CU_CALL(c, cuModuleGetFunction, to, m, name))
		return NULL;
	*to = NULL;
	n = strlen(c->why);
	snprintf(c->why + n, sizeof c->why - n, " (%s)", name);
	return c->why;
}

const char *
cuda_kernels_load(struct cuda_kernels *c)
{
	const char *why = load(c, "columns", &c->columns);

	for (int i = 0; i < K_PACKED && !why; i++)
		why = function(c, c->columns, gpu_kernel_names[i], &c->kernel[i]);
	if (!why)
		why = load(c, "attend", &c->attention);
	for (int i = 0; i < CUDA_ATTENDS && !why; i++)
		why = function(c, c->attention, cuda_attends[i], &c->attend[i]);
	for (int i = 0; i < CUDA_FLOATS && !why; i++)
		why = function(c, c->columns, cuda_floats[i].kernel, &c->floats[i]);
	return why;
}

static const char *
packed(struct cuda_kernels *c, enum gpu_kernel which, const struct type *t, cu_function *to)
{
	struct loaded *l = &c->packed[gpu_type_slot(t)];
	cu_function *f = &l->function[which - K_PACKED];
	const char *why = NULL;

	if (!l->module && !(why = enter(c)))
		why = load(c, gpu_type_name(t), &l->module);
	if (!why && !*f)
		why = function(c, l->module, gpu_kernel_names[which], f);
	*to = *f;
	return why;
}

/* CUDA's own kernel for a product, if it has one: then *k is dealt out to it. */
static const char *
tiled(struct cuda_kernels *c, struct gpu_call *k, cu_function *to)
{
	struct loaded *l = &c->packed[gpu_type_slot(k->type)];
	char module[32];
	int i = cuda_tile_of(k, module, sizeof module);
	const char *why = NULL;

	if (i < 0 || !module_of(c, module))
		return NULL;
	if (!l->tiles && !(why = enter(c)))
		why = load(c, module, &l->tiles);
	if (!why && !l->tile[i])
		why = function(c, l->tiles, cuda_tiles[i].kernel, &l->tile[i]);
	*to = l->tile[i];
	*k = cuda_tile_call(k, i);
	return why;
}

/* CUDA's own kernels for attention, if they take it. */
static const char *
attend(struct cuda_kernels *c, struct gpu *g, const struct gpu_call *given)
{
	struct cuda_attend a;
	struct gpu_call k;
	const char *why = NULL;
	int i;

	if (!cuda_attend_begin(&a, g, given))
		return cuda_graphs_call(c->graphs, c->kernel[K_ATTEND], "attend", given);
	while (!why && (i = cuda_attend_next(&a, &k)) >= 0)
		why = cuda_graphs_call(c->graphs, c->attend[i], cuda_attends[i], &k);
	return why;
}

/* The same of what has no type: the kernel. */
static cu_function
untyped(struct cuda_kernels *c, struct gpu_call *k)
{
	int i = cuda_float_of(k);

	if (i < 0)
		return c->kernel[k->kernel];
	*k = cuda_float_call(k, i);
	return c->floats[i];
}

const char *
cuda_kernels_call(struct cuda_kernels *c, struct gpu *g, const struct gpu_call *given)
{
	struct gpu_call own = *given, *k = &own;
	cu_function f = k->kernel >= K_PACKED ? NULL : untyped(c, k);
	const char *why = k->kernel == K_PACKED ? tiled(c, k, &f) : NULL;

	if (k->kernel == K_ATTEND)
		return attend(c, g, k);
	if (f && k->kernel == K_PACKED && cuda_tile_waits(given))
		return why;
	if (!why && !f)
		why = packed(c, k->kernel, k->type, &f);
	return why ? why : cuda_graphs_call(c->graphs, f, k->type ? gpu_type_name(k->type) :
	    gpu_kernel_names[k->kernel], k);
}
