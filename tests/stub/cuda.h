/* SPDX-License-Identifier: MIT */
/* cuda.h -- what the driver's parts have in common. */
#ifndef STUB_CUDA_H
#define STUB_CUDA_H

#include "ptx.h"

enum {
	OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NO_CONTEXT = 201, NOT_FOUND = 500,
	CAPTURE_UNSUPPORTED = 900, CAPTURE_INVALIDATED = 901, CAPTURED_EVENT = 907,
};

/* Each call of the driver begins so: it is counted, it fails if it is to, or if
 * a kernel has failed before; one at a time is inside. */
int	stub_enter(const char *name);
void	stub_leave(int *);
#define CALL_OF(name) \
	__attribute__((cleanup(stub_leave))) int entered_ = stub_enter(name); \
	if (entered_) return entered_
#define CALL() CALL_OF(__func__)

unsigned long stub_number(const char *variable, unsigned long other);
/* Things that are to be given back. */
void	*stub_thing(size_t bytes);
int	stub_gone(void *);
extern long stub_left;
extern size_t stub_written;	/* bytes to the card */
extern int stub_broken;		/* the status of a kernel that has failed */

/* streams.c: everything that waits, in whatever stream, is done. */
void	stub_run_all(void);
bool	stub_waits(void);
/* What may not be called while a stream records a graph; nonzero: it does. */
int	stub_forbidden(void);

#endif
