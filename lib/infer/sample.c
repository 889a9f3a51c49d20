/* SPDX-License-Identifier: MIT */
/* sample.c -- what was seen, and how a device chooses what comes next. */
#include <stdlib.h>
#include <string.h>

#include <apr/sample.h>

struct sampler {
	struct sample_opts o;
	unsigned	 n;
	uint64_t	 state;
	/* By token; those of which there is something to say are listed. */
	struct seen {
		uint32_t	 seen, made;	/* how often */
		float		 add;
		bool		 listed;
	}		*seen;
	uint32_t	*list;
	size_t		 nlist;
};

void
sampler_free(struct sampler *s)
{
	if (!s)
		return;
	free(s->seen);
	free(s->list);
	free(s);
}

static struct seen *
listed(struct sampler *s, int32_t id)
{
	struct seen *t = &s->seen[id];

	if (!t->listed)
		s->list[s->nlist++] = (uint32_t)id;
	t->listed = true;
	return t;
}

/* A token that has several biases has their sum. */
struct sampler *
sampler_new(const struct sample_opts *o, unsigned n, struct err *e)
{
	struct sampler *s = calloc(1, sizeof *s);

	if (!s || !(s->seen = calloc(n, sizeof *s->seen)) ||
	    !(s->list = malloc(n * sizeof *s->list))) {
		sampler_free(s);
		err_set(e, "out of memory");
		return NULL;
	}
	s->o = *o;
	s->n = n;
	s->state = o->seed;
	for (size_t i = 0; i < o->nbias; i++)
		if (o->bias[i].id >= 0 && (unsigned)o->bias[i].id < n)
			listed(s, o->bias[i].id)->add += o->bias[i].add;
	s->o.bias = NULL;
	return s;
}

static bool
penalties(const struct sampler *s)
{
	return s->o.repetition != 1 || s->o.presence != 0 || s->o.frequency != 0;
}

void
sampler_saw(struct sampler *s, int32_t id, int generated)
{
	struct seen *t;

	if (id < 0 || (unsigned)id >= s->n || !penalties(s))
		return;
	t = listed(s, id);
	t->seen++;
	t->made += generated != 0;
}

void
sampler_undo(struct sampler *s, int32_t id)
{
	if (id < 0 || (unsigned)id >= s->n || !penalties(s))
		return;
	s->seen[id].seen--;
	s->seen[id].made--;
}

/* splitmix64 */
static uint64_t
draw(struct sampler *s)
{
	uint64_t z = s->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

size_t
sampler_marks(const struct sampler *s)
{
	return s->nlist;
}

void
sampler_choice(struct sampler *s, bool logprob, struct device_choice *c, struct device_mark *mark)
{
	const struct sample_opts *o = &s->o;

	*c = (struct device_choice){ .temperature = o->temperature, .top_k = o->top_k,
	    .top_p = o->top_p, .min_p = o->min_p, .typical = o->typical,
	    .repetition = o->repetition, .presence = o->presence, .frequency = o->frequency,
	    .random = o->temperature > 0 ? draw(s) : 0, .logprob = logprob, .mark = mark,
	    .nmark = s->nlist };
	for (size_t i = 0; i < s->nlist; i++) {
		const struct seen *t = &s->seen[s->list[i]];

		mark[i] = (struct device_mark){ s->list[i], t->add, t->seen, t->made };
	}
}
