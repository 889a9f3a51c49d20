/* SPDX-License-Identifier: MIT */
/* edit_names.c -- tensors that a program renamed or left out. */
#include <math.h>
#include <string.h>

#include "edit.h"

/* One entry that the program gave back. */
static int
entry(struct manifest *m, jv was, jv is, double *last, const char **name, struct err *e)
{
	jv id = jv_get_kind(is) == JV_KIND_OBJECT ?
	    jv_object_get(jv_copy(is), jv_string("id")) : jv_invalid();
	jv call, old;
	double at = jv_get_kind(id) == JV_KIND_NUMBER ? jv_number_value(id) : -1;
	const char *s;
	size_t i;
	int r = -1;

	jv_free(id);
	if (!(at >= 0 && at < (double)m->ntensor && at == floor(at))) {
		jv_free(is);
		return err_set(e, "an entry of tensors has an id that no tensor has");
	}
	i = (size_t)at;
	call = jv_object_get(jv_copy(is), jv_string("name"));
	old = jv_array_get(jv_copy(was), (int)i);
	s = jv_get_kind(call) == JV_KIND_STRING ? jv_string_value(call) : NULL;
	is = jv_object_set(is, jv_string("name"), jv_string(m->tensor[i].name));
	if (at <= *last)
		err_set(e, "%s: the order of tensors cannot be changed here, and none can be"
		    " there twice", m->tensor[i].name);
	else if (!s || !*s || strlen(s) > TENSOR_NAME ||
	    strlen(s) != (size_t)jv_string_length_bytes(jv_copy(call)))
		err_set(e, "%s: its new name is no name", m->tensor[i].name);
	else if (!jv_equal(jv_copy(is), jv_copy(old)))
		err_set(e, "%s: only its name can be changed", m->tensor[i].name);
	else if (!(name[i] = arena_strn(&m->arena, s, strlen(s))))
		err_set(e, "out of memory");
	else
		r = 0;
	*last = at;
	jv_free(is);
	jv_free(call);
	jv_free(old);
	return r;
}

int
edit_names(struct manifest *m, jv was, jv is, const char **name, struct err *e)
{
	double last = -1;
	size_t n = 0;
	int r = jv_get_kind(is) == JV_KIND_ARRAY ? 0 :
	    err_set(e, "the program's tensors are no array");

	if (r == 0)
		jv_array_foreach(is, i, value) {
			if (r == 0)
				r = entry(m, was, jv_copy(value), &last, name, e);
			jv_free(value);
		}
	jv_free(was);
	jv_free(is);
	/* What is tied follows the name. */
	for (size_t i = 0; r == 0 && i < m->ntensor; i++) {
		const char *to = m->tensor[i].tied_to;

		for (size_t k = 0; to && k < m->ntensor; k++)
			if (name[k] && !strcmp(m->tensor[k].name, to)) {
				m->tensor[i].tied_to = name[k];
				break;
			}
	}
	for (size_t i = 0; r == 0 && i < m->ntensor; i++)
		if (name[i]) {
			struct tensor t = m->tensor[i];

			t.name = name[i];
			m->tensor[n++] = t;
		}
	if (r == 0)
		m->ntensor = n;
	return r;
}
