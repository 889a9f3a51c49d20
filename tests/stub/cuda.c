/* SPDX-License-Identifier: MIT */
/*
 * cuda.c -- a libcuda.so.1 without a card: its memory is the host's, its
 * kernels are those of the library, compiled as C.
 *
 * Copies and calls wait until somebody waits for them, as on a card they may.
 *	STUB_CUDA_FAIL=NAME:N:STATUS	the N-th call of NAME fails so
 *	STUB_CUDA_COUNT=FILE		how often each was called, in the end
 *	STUB_CUDA_DEVICES, _VERSION, _ARCH, _MEMORY	what there is
 *	STUB_CUDA_BYTES=FILE		bytes of memory at the most, and those written
 *	STUB_CUDA_FAR=1			memory is no part of this process's, nearly
 *	STUB_CUDA_IDLE=1		kernels do nothing
 *	STUB_CUDA_LEFT=1		what is not given back in the end is told
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "cuda.h"

enum {
	OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_FOUND = 500, LANES = 64, ARGUMENTS = 32,
	CALLS = 64, STACK = 1 << 16,
};

static const struct { int status; const char *name; } names[] = {
	{ OK, "CUDA_SUCCESS" }, { INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE" },
	{ OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY" }, { 3, "CUDA_ERROR_NOT_INITIALIZED" },
	{ 100, "CUDA_ERROR_NO_DEVICE" }, { 218, "CUDA_ERROR_INVALID_PTX" },
	{ 222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION" }, { NOT_FOUND, "CUDA_ERROR_NOT_FOUND" },
	{ 700, "CUDA_ERROR_ILLEGAL_ADDRESS" }, { 719, "CUDA_ERROR_LAUNCH_FAILED" },
	{ 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" },
};

struct module {
	char	*ptx;
	int	 type;
};
struct function {
	const struct stub_kernel *kernel;
	int	 type;
};

/* What waits: a call, or a copy if there is no function. */
struct work {
	struct work	*next;
	struct function	 f;
	unsigned	 groups[3], items;
	unsigned char	 arg[ARGUMENTS][8];
	void		*to;
	const void	*from;
	size_t		 bytes;
	int		 up;		/* to the card */
};

static struct work *first, **last = &first;
static struct { const char *name; unsigned long n; } calls[CALLS];
static long left;			/* things that are not given back */
static size_t taken, most, written;

static unsigned long
number(const char *name, unsigned long other)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 10) : other;
}

/* The status that this call is to have. */
static int
fault(const char *name)
{
	const char *s = getenv("STUB_CUDA_FAIL"), *p;
	size_t len = strlen(name);
	int i = 0;

	while (calls[i].name && strcmp(calls[i].name, name) != 0)
		i++;
	calls[i].name = name;
	calls[i].n++;
	if (!s || strncmp(s, name, len) != 0 || s[len] != ':')
		return OK;
	if (strtoul(s + len + 1, NULL, 10) != calls[i].n)
		return OK;
	p = strchr(s + len + 1, ':');
	return p ? atoi(p + 1) : 999;
}
#define FAULT() do { int status_ = fault(__func__); if (status_) return status_; } while (0)
/* Of exported names that carry a version. */
#define FAULT_OF(name) do { int status_ = fault(name); if (status_) return status_; } while (0)

/* A work-group's items take turns. */
unsigned stub_group[3], stub_lane, stub_items;
int stub_type;
static struct lane {
	ucontext_t	 start;
	jmp_buf		 at;
	int		 begun, busy;
} lanes[LANES];
static jmp_buf scheduler;
static ucontext_t scheduler_start;
static const struct stub_kernel *running;
static void *running_args[ARGUMENTS];

void
stub_barrier(void)
{
	unsigned lane = stub_lane;

	if (_setjmp(lanes[lane].at) == 0)
		_longjmp(scheduler, 1);
}

static void
work_for_ever(void)
{
	for (;;) {
		unsigned lane = stub_lane;

		running->call(running_args);
		lanes[lane].busy = 0;
		stub_barrier();
	}
}

static void
step(unsigned lane)
{
	struct lane *l = &lanes[lane];

	stub_lane = lane;
	if (_setjmp(scheduler) != 0)
		return;
	if (l->begun)
		_longjmp(l->at, 1);
	l->begun = 1;
	getcontext(&l->start);
	l->start.uc_stack.ss_sp = malloc(STACK);
	l->start.uc_stack.ss_size = STACK;
	l->start.uc_link = NULL;
	makecontext(&l->start, work_for_ever, 0);
	swapcontext(&scheduler_start, &l->start);
}

static void
compute(struct work *w)
{
	running = w->f.kernel;
	stub_type = w->f.type;
	stub_items = w->items;
	for (int i = 0; i < ARGUMENTS; i++)
		running_args[i] = w->arg[i];
	for (unsigned z = 0; z < w->groups[2]; z++)
		for (unsigned y = 0; y < w->groups[1]; y++)
			for (unsigned x = 0; x < w->groups[0]; x++) {
				unsigned busy = w->items;

				stub_group[0] = x;
				stub_group[1] = y;
				stub_group[2] = z;
				for (unsigned i = 0; i < w->items; i++)
					lanes[i].busy = 1;
				while (busy > 0) {
					busy = 0;
					for (unsigned i = 0; i < w->items; i++) {
						if (lanes[i].busy)
							step(i);
						busy += (unsigned)lanes[i].busy;
					}
				}
			}
}

/* A card's memory: a file's pages, if it is to be FAR, that go from this process
 * once something was written to them. */
enum { HEAD = 4096 };

static unsigned char *
memory(size_t bytes)
{
	int fd = getenv("STUB_CUDA_FAR") ? memfd_create("card", 0) : -1;
	void *p;

	left++;
	if (fd < 0)
		return calloc(1, HEAD + bytes);
	p = ftruncate(fd, (off_t)(HEAD + bytes)) ? MAP_FAILED :
	    mmap(NULL, HEAD + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return p == MAP_FAILED ? NULL : p;
}

static void
forget(unsigned char *p, size_t bytes)
{
	left--;
	if (getenv("STUB_CUDA_FAR"))
		munmap(p, HEAD + bytes);
	else
		free(p);
}

static void
put_away(void *p, size_t bytes)
{
	uintptr_t from = (uintptr_t)p / HEAD * HEAD, to = ((uintptr_t)p + bytes) / HEAD * HEAD;

	if (getenv("STUB_CUDA_FAR") && to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

static void
run_all(void)
{
	while (first) {
		struct work *w = first;

		if (!(first = w->next))
			last = &first;
		if (!w->f.kernel) {
			memcpy(w->to, w->from, w->bytes);
			if (w->up)
				put_away(w->to, w->bytes);
		}
		else if (!getenv("STUB_CUDA_IDLE"))
			compute(w);
		free(w);
	}
}

static struct work *
wait_for(void)
{
	struct work *w = calloc(1, sizeof *w);

	*last = w;
	last = &w->next;
	return w;
}

static int
copy(void *to, const void *from, size_t bytes, int up)
{
	struct work *w = wait_for();

	w->to = to;
	w->from = from;
	w->bytes = bytes;
	w->up = up;
	return OK;
}

__attribute__((destructor)) static void
end(void)
{
	const char *path = getenv("STUB_CUDA_COUNT"), *bytes = getenv("STUB_CUDA_BYTES");
	FILE *f = bytes ? fopen(bytes, "w") : NULL;

	if (f) {
		fprintf(f, "%zu %zu\n", most, written);
		fclose(f);
	}
	f = path ? fopen(path, "w") : NULL;

	for (int i = 0; f && i < CALLS && calls[i].name; i++)
		fprintf(f, "%s %lu\n", calls[i].name, calls[i].n);
	if (f)
		fclose(f);
	if (left && getenv("STUB_CUDA_LEFT"))
		fprintf(stderr, "libcuda: %ld things were not given back\n", left);
	if (first && getenv("STUB_CUDA_LEFT"))
		fprintf(stderr, "libcuda: something still waits\n");
	for (int i = 0; i < LANES; i++)
		if (lanes[i].begun)
			free(lanes[i].start.uc_stack.ss_sp);
}

static void *
thing(size_t bytes)
{
	left++;
	return calloc(1, bytes);
}

static int
gone(void *p)
{
	left--;
	free(p);
	return OK;
}

int
cuGetErrorName(int status, const char **name)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].status == status) {
			*name = names[i].name;
			return OK;
		}
	*name = NULL;
	return INVALID_VALUE;
}

int
cuInit(unsigned flags)
{
	FAULT();
	return flags ? INVALID_VALUE : OK;
}

int
cuDriverGetVersion(int *v)
{
	FAULT();
	*v = (int)number("STUB_CUDA_VERSION", 12040);
	return OK;
}

int
cuDeviceGetCount(int *n)
{
	FAULT();
	*n = (int)number("STUB_CUDA_DEVICES", 1);
	return OK;
}

int
cuDeviceGet(int *d, int i)
{
	FAULT();
	*d = 7 + i;		/* no index */
	return OK;
}

int
cuDeviceGetName(char *to, int n, int d)
{
	FAULT();
	snprintf(to, (size_t)n, "Stub %d", d - 7);
	return OK;
}

int
cuDeviceGetAttribute(int *v, int what, int d)
{
	unsigned long arch = number("STUB_CUDA_ARCH", 90);

	(void)d;
	FAULT();
	*v = (int)(what == 75 ? arch / 10 : arch % 10);
	return OK;
}

int
cuDeviceTotalMem_v2(size_t *n, int d)
{
	(void)d;
	FAULT_OF("cuDeviceTotalMem");
	*n = number("STUB_CUDA_MEMORY", 1ul << 30);
	return OK;
}

int
cuDevicePrimaryCtxRetain(void **to, int d)
{
	FAULT();
	*to = (void *)(uintptr_t)d;
	left++;
	return OK;
}

int
cuDevicePrimaryCtxRelease_v2(int d)
{
	(void)d;
	left--;
	return OK;
}

int
cuCtxSetCurrent(void *context)
{
	(void)context;
	FAULT();
	return OK;
}

int
cuMemGetInfo_v2(size_t *unused, size_t *all)
{
	FAULT_OF("cuMemGetInfo");
	*all = number("STUB_CUDA_MEMORY", 1ul << 30);
	*unused = *all - taken;
	return OK;
}

int
cuStreamCreate(void **to, unsigned flags)
{
	(void)flags;
	FAULT();
	*to = thing(1);
	return OK;
}

int
cuStreamDestroy_v2(void *s)
{
	run_all();
	return gone(s);
}

int
cuStreamSynchronize(void *s)
{
	(void)s;
	FAULT();
	run_all();
	return OK;
}

int
cuEventCreate(void **to, unsigned flags)
{
	(void)flags;
	FAULT();
	*to = thing(1);
	return OK;
}

int
cuEventDestroy_v2(void *e)
{
	return gone(e);
}

int
cuEventRecord(void *e, void *s)
{
	(void)e;
	(void)s;
	FAULT();
	return OK;
}

int
cuEventSynchronize(void *e)
{
	(void)e;
	FAULT();
	run_all();
	return OK;
}

/* The bytes stand before what is given out. */
int
cuMemAlloc_v2(uint64_t *to, size_t bytes)
{
	unsigned char *p;

	FAULT_OF("cuMemAlloc");
	if (taken + bytes > number("STUB_CUDA_MEMORY", 1ul << 30))
		return OUT_OF_MEMORY;
	if (!(p = memory(bytes)))
		return OUT_OF_MEMORY;
	memcpy(p, &bytes, sizeof bytes);
	taken += bytes;
	most = taken > most ? taken : most;
	*to = (uintptr_t)(p + HEAD);
	return OK;
}

int
cuMemFree_v2(uint64_t at)
{
	unsigned char *p = (unsigned char *)(uintptr_t)at - HEAD;
	size_t bytes;

	run_all();
	memcpy(&bytes, p, sizeof bytes);
	taken -= bytes;
	forget(p, bytes);
	return OK;
}

int
cuMemHostAlloc(void **to, size_t bytes, unsigned flags)
{
	(void)flags;
	FAULT();
	*to = thing(bytes);
	return OK;
}

int
cuMemFreeHost(void *p)
{
	run_all();
	return gone(p);
}

int
cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *s)
{
	(void)s;
	FAULT_OF("cuMemcpyHtoDAsync");
	written += bytes;
	return copy((void *)(uintptr_t)to, from, bytes, 1);
}

int
cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *s)
{
	(void)s;
	FAULT_OF("cuMemcpyDtoHAsync");
	return copy(to, (void *)(uintptr_t)from, bytes, 0);
}

int
cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *s)
{
	(void)s;
	FAULT_OF("cuMemcpyDtoDAsync");
	return copy((void *)(uintptr_t)to, (void *)(uintptr_t)from, bytes, 0);
}

/* Begins "// NAME", where a packed type has its own. */
int
cuModuleLoadDataEx(void **to, const void *ptx, unsigned n, const int *option, void **value)
{
	struct module *m;
	char name[32] = "";
	int status = fault(__func__);

	if (status) {
		for (unsigned i = 0; i < n; i++)
			if (option[i] == 5)
				strcpy(value[i], "ptxas fatal\nof the stub");
		return status;
	}
	sscanf(ptx, "// %31s", name);
	m = thing(sizeof *m);
	m->ptx = strdup(ptx);
	m->type = stub_named(name);
	*to = m;
	return OK;
}

int
cuModuleUnload(void *p)
{
	struct module *m = p;

	free(m->ptx);
	return gone(m);
}

/* A function lives as long as the process; the PTX must have as many arguments. */
int
cuModuleGetFunction(void **to, void *p, const char *name)
{
	static struct function all[256];
	struct module *m = p;
	char text[64];
	size_t i = 0, n;

	FAULT();
	snprintf(text, sizeof text, ".entry %s(", name);
	if (!strstr(m->ptx, text))
		return NOT_FOUND;
	for (const struct stub_kernel *k = stub_kernels; k->name; k++) {
		if (strcmp(k->name, name) != 0)
			continue;
		n = strlen((const char *)k->size);
		snprintf(text, sizeof text, "%s_param_%zu", name, n - 1);
		if (!strstr(m->ptx, text))
			return NOT_FOUND;
		snprintf(text, sizeof text, "%s_param_%zu", name, n);
		if (strstr(m->ptx, text))
			return NOT_FOUND;
		while (all[i].kernel && (all[i].kernel != k || all[i].type != m->type))
			i++;
		all[i] = (struct function){ k, m->type };
		*to = &all[i];
		return OK;
	}
	return NOT_FOUND;
}

int
cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
    unsigned bz, unsigned shared, void *s, void **arg, void **extra)
{
	const struct function *f = function;
	struct work *w;

	(void)s;
	FAULT();
	if (bx == 0 || bx > LANES || by != 1 || bz != 1 || shared || extra || !gx || !gy || !gz ||
	    gy > 65535 || gz > 65535)
		return INVALID_VALUE;
	w = wait_for();
	w->f = *f;
	w->groups[0] = gx;
	w->groups[1] = gy;
	w->groups[2] = gz;
	w->items = bx;
	for (int i = 0; f->kernel->size[i]; i++)
		memcpy(w->arg[i], arg[i], f->kernel->size[i]);
	return OK;
}
