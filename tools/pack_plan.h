/* SPDX-License-Identifier: MIT */
/* pack_plan.h -- what apr-pack would write. */
#ifndef PACK_PLAN_H
#define PACK_PLAN_H

#include <apr/pack.h>

/* To standard output. */
void	plan_table(const struct pack *, const struct pack_target *);
void	plan_json(const struct pack *, const struct pack_target *);

#endif
