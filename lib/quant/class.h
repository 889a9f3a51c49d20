/* SPDX-License-Identifier: MIT */
/* class.h -- what a tensor is for, as far as its name says. */
#ifndef QUANT_CLASS_H
#define QUANT_CLASS_H

#include <apr/manifest.h>

/*
 * The classes of llama-quantize's mixes.  CLASS_OUTPUT is output.weight, and
 * where a file has none (tied), what class_of() calls CLASS_EMBD: that is for
 * the caller, who sees all names.
 */
enum quant_class {
	CLASS_OTHER, CLASS_OUTPUT, CLASS_EMBD, CLASS_V, CLASS_K, CLASS_Q,
	CLASS_ATTN_OUTPUT, CLASS_UP, CLASS_GATE, CLASS_DOWN, CLASSES
};
extern const char *const class_names[CLASSES];

/* Is the name of every class known here?  (GGUF's are, and roles.) */
bool	class_known(const struct manifest *);
enum quant_class class_of(const struct tensor *);

#endif
