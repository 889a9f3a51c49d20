/* SPDX-License-Identifier: MIT */
/* recipe.c -- hostile text as a recipe, for a small model. */
#include <stdlib.h>
#include <string.h>

#include <apr/quant.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* Files are not read: an include that is no preset's name leads nowhere. */
static void
tensor(struct manifest *m, const char *name, uint64_t rows)
{
	struct err e;
	struct tensor *t = manifest_add_tensor(m, name, strlen(name), &e);

	if (!t)
		abort();
	t->ndim = 2;
	t->dim[0] = rows;
	t->dim[1] = 256;
	if (tensor_set(t, &type_f16, TENSOR_ROWS, &e) < 0)
		abort();
}

static void
apply(const struct recipe *r)
{
	struct quant_opts o = { .recipe = r };
	struct quant_report report;
	struct quant_from *from;
	struct err e;
	struct manifest *m = manifest_new(&e);
	struct buf b = { 0 };

	if (!m)
		abort();
	m->plan = true;
	m->convention = "gguf";
	m->metadata = "{\"general.architecture\":\"llama\",\"llama.block_count\":2,"
	    "\"llama.expert_count\":8,\"llama.attention.head_count\":8}";
	tensor(m, "output.weight", 4);
	tensor(m, "output_norm.weight", 1);
	tensor(m, "blk.0.attn_v.weight", 2);
	tensor(m, "blk.1.ffn_down_exps.weight", 3);
	if ((from = quant_apply(m, &o, &report, &e))) {
		if (quant_resolved(m, from, &o, "", &b, &e) < 0)
			abort();
		quant_report_release(&report);
		buf_release(&b);
	}
	free(from);
	manifest_free(m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct recipe *r;
	struct err e;

	if ((r = recipe_text("/nonexistent/r", data, size, NULL, &e)))
		apply(r);
	recipe_free(r);
	return 0;
}
