/* SPDX-License-Identifier: MIT */
/* array.c -- arrays and scratch memory that grow as they are wanted. */
#include <stdlib.h>
#include <string.h>

#include <apr/buf.h>
#include <apr/size.h>

/* (Pointers are copied, as theirs may be of any type.) */
static int
resize(void *array, size_t bytes, struct err *e)
{
	void *p;

	memcpy(&p, array, sizeof p);
	if (!(p = realloc(p, bytes)))
		return err_set(e, "out of memory");
	memcpy(array, &p, sizeof p);
	return 0;
}

int
array_room(void *array, size_t n, size_t size, struct err *e)
{
	size_t bytes;

	/* Lengths are powers of two: at one of them the array is full. */
	if (n & (n - 1))
		return 0;
	if (size_mul(&bytes, n ? n : 1, n ? 2 * size : size))
		return err_set(e, "out of memory");
	return resize(array, bytes, e);
}

int
bytes_room(void *array, size_t *cap, uint64_t n, struct err *e)
{
	if (n <= *cap)
		return 0;
	if (n > SIZE_MAX / 2)
		return err_set(e, "out of memory");
	if (resize(array, (size_t)n, e) < 0)
		return -1;
	*cap = (size_t)n;
	return 0;
}
