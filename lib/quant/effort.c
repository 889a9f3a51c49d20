/* SPDX-License-Identifier: MIT */
/* effort.c -- which types can be made with more effort, or with less. */
#include <apr/quant.h>

int
quant_check_effort(const struct manifest *m, const struct quant_from *from, enum effort effort,
    struct err *e)
{
	for (size_t i = 0; i < m->ntensor; i++) {
		const struct type *t = m->tensor[i].type;

		/* apr_q8 has but one way, and that is aprender's */
		if (!from[i].type || type_encoder(t, effort) ||
		    ((t->flags & TYPE_WHOLE) && effort != EFFORT_HIGH))
			continue;
		return err_set(e, "%s: no %s is made with --effort=%s", m->tensor[i].name,
		    t->name, effort == EFFORT_HIGH ? "high" : "apr");
	}
	return 0;
}
