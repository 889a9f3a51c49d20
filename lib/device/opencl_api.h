/* SPDX-License-Identifier: MIT */
/*
 * opencl_api.h -- as much of OpenCL 1.2 as is called, declared after its
 * specification: no header of it is needed to build, and its library is looked
 * for when a device is wanted.  Private to lib/device.
 */
#ifndef DEVICE_OPENCL_API_H
#define DEVICE_OPENCL_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <apr/err.h>

enum {
	CL_PLATFORM_NAME = 0x0902,
	CL_DEVICE_NAME = 0x102b,
	CL_DEVICE_VERSION = 0x102f,
	CL_DEVICE_SINGLE_FP_CONFIG = 0x101b,
	CL_DEVICE_GLOBAL_MEM_SIZE = 0x101f,
	CL_DEVICE_MAX_MEM_ALLOC_SIZE = 0x1010,
	CL_DEVICE_MAX_WORK_GROUP_SIZE = 0x1004,
	CL_DEVICE_LOCAL_MEM_SIZE = 0x1023,
	CL_DEVICE_ENDIAN_LITTLE = 0x1026,
	CL_PROGRAM_BUILD_LOG = 0x1183,
	CL_FP_DENORM = 1, CL_FP_FMA = 1 << 5, CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT = 1 << 7,
	CL_MEM_READ_WRITE = 1,
	CL_MEM_ALLOC_HOST_PTR = 1 << 4,
	CL_MAP_WRITE = 1 << 1,
	CL_DEVICE_NOT_FOUND = -1,
};
#define CL_DEVICE_TYPE_ALL 0xffffffffu

typedef struct cl_platform *cl_platform;
typedef struct cl_device *cl_device;
typedef struct cl_context *cl_context;
typedef struct cl_queue *cl_queue;
typedef struct cl_mem *cl_mem;
typedef struct cl_program *cl_program;
typedef struct cl_kernel *cl_kernel;
typedef struct cl_event *cl_event;
typedef int32_t cl_status;

/* Name, result, arguments. */
#define OPENCL_FUNCTIONS(F) \
	F(clGetPlatformIDs, cl_status, (uint32_t, cl_platform *, uint32_t *)) \
	F(clGetPlatformInfo, cl_status, (cl_platform, uint32_t, size_t, void *, size_t *)) \
	F(clGetDeviceIDs, cl_status, (cl_platform, uint64_t, uint32_t, cl_device *, uint32_t *)) \
	F(clGetDeviceInfo, cl_status, (cl_device, uint32_t, size_t, void *, size_t *)) \
	F(clCreateContext, cl_context, (const intptr_t *, uint32_t, const cl_device *, \
	    void (*)(const char *, const void *, size_t, void *), void *, cl_status *)) \
	F(clReleaseContext, cl_status, (cl_context)) \
	F(clCreateCommandQueue, cl_queue, (cl_context, cl_device, uint64_t, cl_status *)) \
	F(clReleaseCommandQueue, cl_status, (cl_queue)) \
	F(clCreateProgramWithSource, cl_program, (cl_context, uint32_t, const char **, \
	    const size_t *, cl_status *)) \
	F(clBuildProgram, cl_status, (cl_program, uint32_t, const cl_device *, const char *, \
	    void (*)(cl_program, void *), void *)) \
	F(clGetProgramBuildInfo, cl_status, (cl_program, cl_device, uint32_t, size_t, void *, \
	    size_t *)) \
	F(clReleaseProgram, cl_status, (cl_program)) \
	F(clCreateKernel, cl_kernel, (cl_program, const char *, cl_status *)) \
	F(clReleaseKernel, cl_status, (cl_kernel)) \
	F(clSetKernelArg, cl_status, (cl_kernel, uint32_t, size_t, const void *)) \
	F(clCreateBuffer, cl_mem, (cl_context, uint64_t, size_t, void *, cl_status *)) \
	F(clReleaseMemObject, cl_status, (cl_mem)) \
	F(clEnqueueNDRangeKernel, cl_status, (cl_queue, cl_kernel, uint32_t, const size_t *, \
	    const size_t *, const size_t *, uint32_t, const void *, void *)) \
	F(clEnqueueReadBuffer, cl_status, (cl_queue, cl_mem, uint32_t, size_t, size_t, void *, \
	    uint32_t, const void *, void *)) \
	F(clEnqueueWriteBuffer, cl_status, (cl_queue, cl_mem, uint32_t, size_t, size_t, \
	    const void *, uint32_t, const void *, cl_event *)) \
	F(clEnqueueMapBuffer, void *, (cl_queue, cl_mem, uint32_t, uint64_t, size_t, size_t, \
	    uint32_t, const void *, cl_event *, cl_status *)) \
	F(clEnqueueUnmapMemObject, cl_status, (cl_queue, cl_mem, void *, uint32_t, const void *, \
	    cl_event *)) \
	F(clWaitForEvents, cl_status, (uint32_t, const cl_event *)) \
	F(clReleaseEvent, cl_status, (cl_event)) \
	F(clEnqueueCopyBuffer, cl_status, (cl_queue, cl_mem, cl_mem, size_t, size_t, size_t, \
	    uint32_t, const void *, void *)) \
	F(clFinish, cl_status, (cl_queue))

struct opencl_api {
#define F(name, result, arguments) result (*name) arguments;
	OPENCL_FUNCTIONS(F)
#undef F
};

/* The functions, or why they are not there. */
const struct opencl_api *opencl_api(struct err *);

struct opencl_choice {
	cl_platform	 platform;
	cl_device	 device;
	char		 name[256];	/* "PLATFORM: DEVICE" */
	uint64_t	 memory, most;	/* bytes, in all and in one piece */
};
/* The device to use: APR_OPENCL's, part of a name, or the first that can. */
int	opencl_choose(const struct opencl_api *, struct opencl_choice *, struct err *)
	    APR_MUSTCHECK;
/* Each device in words. */
void	opencl_list(void (*line)(const char *));
/* What a status is called in the specification, or its number. */
const char *opencl_status(cl_status);

#endif
