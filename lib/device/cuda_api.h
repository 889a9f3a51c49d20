/* SPDX-License-Identifier: MIT */
/*
 * cuda_api.h -- as much of CUDA's driver interface as is called, declared after
 * its documentation: no header of it is needed to build, and libcuda.so.1 is
 * looked for when a device is wanted.  Exported names carry the version of
 * their arguments.  Private to lib/device.
 */
#ifndef DEVICE_CUDA_API_H
#define DEVICE_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

enum {
	CUDA_NO_DEVICE = 100,
	CU_JIT_ERROR_LOG_BUFFER = 5,
	CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
	CU_DEVICE_MAJOR = 75,		/* compute capability */
	CU_DEVICE_MINOR = 76,
	CU_STREAM_NON_BLOCKING = 1,
	CU_EVENT_DISABLE_TIMING = 2,
	CU_CAPTURE_THREAD_LOCAL = 1,
};

typedef int cu_result;
typedef int cu_device;
typedef uint64_t cu_address;
typedef struct cu_context *cu_context;
typedef struct cu_module *cu_module;
typedef struct cu_function *cu_function;
typedef struct cu_stream *cu_stream;
typedef struct cu_event *cu_event;
typedef struct cu_graph *cu_graph;
typedef struct cu_graph_exec *cu_graph_exec;

/* What it is called here, what the library exports, arguments. */
#define CUDA_FUNCTIONS(F) \
	F(cuInit, cuInit, (unsigned)) \
	F(cuDriverGetVersion, cuDriverGetVersion, (int *)) \
	F(cuGetErrorName, cuGetErrorName, (cu_result, const char **)) \
	F(cuDeviceGetCount, cuDeviceGetCount, (int *)) \
	F(cuDeviceGet, cuDeviceGet, (cu_device *, int)) \
	F(cuDeviceGetName, cuDeviceGetName, (char *, int, cu_device)) \
	F(cuDeviceGetAttribute, cuDeviceGetAttribute, (int *, int, cu_device)) \
	F(cuDeviceTotalMem, cuDeviceTotalMem_v2, (size_t *, cu_device)) \
	F(cuDevicePrimaryCtxRetain, cuDevicePrimaryCtxRetain, (cu_context *, cu_device)) \
	F(cuDevicePrimaryCtxRelease, cuDevicePrimaryCtxRelease_v2, (cu_device)) \
	F(cuCtxSetCurrent, cuCtxSetCurrent, (cu_context)) \
	F(cuMemGetInfo, cuMemGetInfo_v2, (size_t *, size_t *)) \
	F(cuStreamCreate, cuStreamCreate, (cu_stream *, unsigned)) \
	F(cuStreamDestroy, cuStreamDestroy_v2, (cu_stream)) \
	F(cuStreamSynchronize, cuStreamSynchronize, (cu_stream)) \
	F(cuEventCreate, cuEventCreate, (cu_event *, unsigned)) \
	F(cuEventDestroy, cuEventDestroy_v2, (cu_event)) \
	F(cuEventRecord, cuEventRecord, (cu_event, cu_stream)) \
	F(cuEventSynchronize, cuEventSynchronize, (cu_event)) \
	F(cuMemAlloc, cuMemAlloc_v2, (cu_address *, size_t)) \
	F(cuMemFree, cuMemFree_v2, (cu_address)) \
	F(cuMemHostAlloc, cuMemHostAlloc, (void **, size_t, unsigned)) \
	F(cuMemFreeHost, cuMemFreeHost, (void *)) \
	F(cuMemcpyHtoDAsync, cuMemcpyHtoDAsync_v2, (cu_address, const void *, size_t, cu_stream)) \
	F(cuMemcpyDtoHAsync, cuMemcpyDtoHAsync_v2, (void *, cu_address, size_t, cu_stream)) \
	F(cuMemcpyDtoDAsync, cuMemcpyDtoDAsync_v2, (cu_address, cu_address, size_t, cu_stream)) \
	F(cuModuleLoadDataEx, cuModuleLoadDataEx, (cu_module *, const void *, unsigned, int *, \
	    void **)) \
	F(cuModuleUnload, cuModuleUnload, (cu_module)) \
	F(cuModuleGetFunction, cuModuleGetFunction, (cu_function *, cu_module, const char *)) \
	F(cuLaunchKernel, cuLaunchKernel, (cu_function, unsigned, unsigned, unsigned, unsigned, \
	    unsigned, unsigned, unsigned, cu_stream, void **, void **)) \
	F(cuStreamBeginCapture, cuStreamBeginCapture_v2, (cu_stream, int)) \
	F(cuStreamEndCapture, cuStreamEndCapture, (cu_stream, cu_graph *)) \
	F(cuGraphInstantiate, cuGraphInstantiateWithFlags, (cu_graph_exec *, cu_graph, \
	    unsigned long long)) \
	F(cuGraphLaunch, cuGraphLaunch, (cu_graph_exec, cu_stream)) \
	F(cuGraphExecDestroy, cuGraphExecDestroy, (cu_graph_exec)) \
	F(cuGraphDestroy, cuGraphDestroy, (cu_graph))

struct cuda_api {
#define F(name, symbol, arguments) cu_result (*name) arguments;
	CUDA_FUNCTIONS(F)
#undef F
};

/* The functions, once cuInit() has agreed, or why they are not there. */
const struct cuda_api *cuda_api(struct err *);

struct cuda_choice {
	cu_device	 device;
	char		 name[128];
	unsigned	 arch;		/* compute capability: 10 x major + minor */
	uint64_t	 memory;	/* bytes in all */
};
/* The device to use: number $APR_CUDA, or the first that can. */
int	cuda_choose(const struct cuda_api *, struct cuda_choice *, struct err *) APR_MUSTCHECK;
/* Each device in words. */
void	cuda_list(void (*line)(const char *));
/* "CALL: NAME" of a status, into n bytes; NULL of success. */
const char *cuda_words(const struct cuda_api *, const char *call, cu_result, char *to, size_t n);
/* A call, by whoever has the functions as `a` and room for words as `why`: NULL,
 * or what went wrong. */
#define CU_CALL(c, name, ...) \
	cuda_words((c)->a, #name, (c)->a->name(__VA_ARGS__), (c)->why, sizeof (c)->why)

/*
 * Kernels as PTX, made when the library was built: "columns", and one a packed
 * type by groups.cl's names.  Of each as many as there are generations of
 * cards, the older first; the last has no name.
 */
struct cuda_module {
	const char	*name;
	unsigned	 arch;		/* and any later one */
	int		 driver;	/* CUDA's version, as cuDriverGetVersion() has it */
	const char	*ptx;
};
extern const struct cuda_module cuda_modules[];
/* What the build lacked; NULL: nothing. */
extern const char *const cuda_modules_missing;

#endif
