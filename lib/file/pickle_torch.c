/* SPDX-License-Identifier: MIT */
/* pickle_torch.c -- what PyTorch's names stand for in a pickle: types of
 * numbers, and the few functions whose results are known. */
#include <stdbool.h>
#include <string.h>

#include "pickle_machine.h"

/* All that a checkpoint may name. */
static const struct pickle_global globals[] = {
	{ "collections OrderedDict", NULL },
	{ "torch._utils _rebuild_tensor", NULL },
	{ "torch._utils _rebuild_tensor_v2", NULL },
	{ "torch._utils _rebuild_tensor_v3", NULL },
	{ "torch._utils _rebuild_parameter", NULL },
	{ "torch Size", NULL },
	{ "torch FloatStorage", "F32" }, { "torch DoubleStorage", "F64" },
	{ "torch HalfStorage", "F16" }, { "torch BFloat16Storage", "BF16" },
	{ "torch LongStorage", "I64" }, { "torch IntStorage", "I32" },
	{ "torch ShortStorage", "I16" }, { "torch CharStorage", "I8" },
	{ "torch ByteStorage", "U8" }, { "torch BoolStorage", "BOOL" },
	{ "torch.storage UntypedStorage", "" },
	{ "torch float32", "F32" }, { "torch float64", "F64" },
	{ "torch float16", "F16" }, { "torch bfloat16", "BF16" },
	{ "torch int64", "I64" }, { "torch int32", "I32" }, { "torch int16", "I16" },
	{ "torch int8", "I8" }, { "torch uint8", "U8" }, { "torch bool", "BOOL" },
	{ "torch uint16", "U16" }, { "torch uint32", "U32" }, { "torch uint64", "U64" },
	{ "torch float8_e4m3fn", "F8_E4M3" }, { "torch float8_e5m2", "F8_E5M2" },
};

int
pickle_global(struct machine *m, const char *module, size_t nm, const char *name, size_t nn)
{
	struct pickle_value *v;

	for (size_t i = 0; i < sizeof globals / sizeof *globals; i++) {
		const char *g = globals[i].name;

		if (strlen(g) != nm + 1 + nn || memcmp(g, module, nm) || g[nm] != ' ' ||
		    memcmp(g + nm + 1, name, nn))
			continue;
		if ((v = pickle_make(m, PICKLE_GLOBAL)))
			v->u.global = &globals[i];
		return pickle_push(m, v);
	}
	return err_set(m->e, "data.pkl names %.*s.%.*s: only tensors and dicts of them are"
	    " read, and no code is run", (int)(nm > 80 ? 80 : nm), module,
	    (int)(nn > 80 ? 80 : nn), name);
}

/* ('storage', type, key, device, elements) */
int
pickle_persistent(struct machine *m)
{
	struct pickle_value *id = pickle_pop(m), *v, **x;
	struct pickle_storage *s;

	if (!id)
		return -1;
	x = id->u.item;
	if (id->kind != PICKLE_TUPLE || id->n < 5 || x[0]->kind != PICKLE_STRING ||
	    strcmp(x[0]->u.s, "storage") || x[1]->kind != PICKLE_GLOBAL ||
	    !x[1]->u.global->type || x[2]->kind != PICKLE_STRING || x[4]->kind != PICKLE_INT ||
	    x[4]->u.i < 0)
		return pickle_fail(m, "what is kept elsewhere is no storage");
	if (!(v = pickle_make(m, PICKLE_STORAGE)) || !(s = arena_alloc(m->arena, sizeof *s)))
		return err_set(m->e, "out of memory");
	s->key = x[2]->u.s;
	s->type = x[1]->u.global->type[0] ? x[1]->u.global->type : NULL;
	s->n = (uint64_t)x[4]->u.i;
	v->u.storage = s;
	return pickle_push(m, v);
}

static bool
sizes(const struct pickle_value *v, uint64_t *out, unsigned *n)
{
	if (v->kind != PICKLE_TUPLE || v->n > 8)
		return false;
	*n = v->n;
	for (uint32_t i = 0; i < v->n; i++) {
		if (v->u.item[i]->kind != PICKLE_INT || v->u.item[i]->u.i < 0)
			return false;
		out[i] = (uint64_t)v->u.item[i]->u.i;
	}
	return true;
}

/* (storage, offset, size, stride, ...) */
static int
tensor(struct machine *m, const struct pickle_value *args, bool typed)
{
	struct pickle_value **x = args->u.item, *v;
	struct pickle_tensor *t = arena_alloc(m->arena, sizeof *t);
	unsigned strides = 0;

	if (!t || !(v = pickle_make(m, PICKLE_TENSOR)))
		return err_set(m->e, "out of memory");
	if (args->n < (typed ? 7u : 4u) || x[0]->kind != PICKLE_STORAGE ||
	    x[1]->kind != PICKLE_INT || x[1]->u.i < 0 || !sizes(x[2], t->dim, &t->ndim) ||
	    !sizes(x[3], t->stride, &strides) || strides != t->ndim)
		return pickle_fail(m, "a tensor that is not a storage, an offset, a size of at most 8"
		    " dimensions and strides");
	t->storage = x[0]->u.storage;
	t->offset = (uint64_t)x[1]->u.i;
	t->type = t->storage->type;
	if (typed) {
		if (x[6]->kind != PICKLE_GLOBAL || !x[6]->u.global->type)
			return pickle_fail(m, "a tensor without a type");
		t->type = x[6]->u.global->type;
	}
	if (!t->type)
		return pickle_fail(m, "a tensor without a type");
	v->u.tensor = t;
	return pickle_push(m, v);
}

int
pickle_call(struct machine *m)
{
	struct pickle_value *args = pickle_pop(m), *f = args ? pickle_pop(m) : NULL, *v;
	const char *name;

	if (!f)
		return -1;
	if (f->kind != PICKLE_GLOBAL || args->kind != PICKLE_TUPLE || f->u.global->type)
		return pickle_fail(m, "a call of what is no function");
	name = strchr(f->u.global->name, ' ') + 1;
	if (!strcmp(name, "OrderedDict")) {
		if (args->n > 0)
			return pickle_fail(m, "an OrderedDict with contents");
		return pickle_push(m, pickle_make(m, PICKLE_DICT));
	}
	if (!strcmp(name, "Size"))
		return args->n == 1 && args->u.item[0]->kind == PICKLE_TUPLE ?
		    pickle_push(m, args->u.item[0]) : pickle_fail(m, "a Size that is no tuple");
	if (!strcmp(name, "_rebuild_parameter")) {
		v = args->n > 0 ? args->u.item[0] : NULL;
		return v && v->kind == PICKLE_TENSOR ? pickle_push(m, v) :
		    pickle_fail(m, "a parameter that is no tensor");
	}
	return tensor(m, args, !strcmp(name, "_rebuild_tensor_v3"));
}
