/* SPDX-License-Identifier: MIT */
/* order.c -- --order: how tensors follow one another. */
#include <string.h>

#include "order.h"
#include "tool.h"

static bool
find(const char *arg, enum order first, enum order *o)
{
	static const char *const name[] = { "source", "name", "quantize", "convert" };

	for (*o = first; *o <= ORDER_CONVERT; ++*o)
		if (!strcmp(arg, name[*o]))
			return true;
	return false;
}

enum order
order_option(const char *arg)
{
	enum order o;

	if (!find(arg, ORDER_SOURCE, &o))
		usage("--order: %s is none of source, name, quantize, convert", arg);
	return o;
}

enum order
order_option_gguf(const char *arg)
{
	enum order o;

	if (!find(arg, ORDER_QUANTIZE, &o))
		usage("--order: %s is neither quantize nor convert", arg);
	return o;
}
