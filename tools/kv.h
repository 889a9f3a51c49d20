/* SPDX-License-Identifier: MIT */
/* kv.h -- llama-quantize's --override-kv KEY=TYPE:VALUE. */
#ifndef KV_H
#define KV_H

#include <apr/manifest.h>

/* As a key of `set`; the strings live until the program ends.  An argument
 * that is none of these exits 2. */
struct mset kv_parse(const char *arg);

#endif
