/* SPDX-License-Identifier: MIT */
/* order.h -- --order: how tensors follow one another. */
#ifndef ORDER_H
#define ORDER_H

#include <apr/file.h>

/* Any order of a stream; else usage(). */
enum order order_option(const char *arg);
/* Of a GGUF: quantize or convert. */
enum order order_option_gguf(const char *arg);

#endif
