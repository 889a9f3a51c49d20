/* SPDX-License-Identifier: MIT */
/* json.c -- JSON in pieces, over yajl. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include <apr/json.h>
#include <apr/size.h>

struct json {
	yajl_handle	 y;
	json_fn		 fn;
	void		*ctx;
	struct err	*e;		/* of the call under way */
	bool		 failed;	/* the callback set *e */
	int		 depth;
	char		 what[64];
};

static int
event(struct json *j, enum json_ev ev, const void *s, size_t n)
{
	if (j->fn(j->ctx, ev, s, n, j->e) == 0)
		return 1;
	j->failed = true;
	return 0;
}

static int
open_level(struct json *j, enum json_ev ev)
{
	if (++j->depth > JSON_DEPTH) {
		err_set(j->e, "%s: JSON nested more than %d deep", j->what, JSON_DEPTH);
		j->failed = true;
		return 0;
	}
	return event(j, ev, NULL, 0);
}

static int
close_level(struct json *j, enum json_ev ev)
{
	j->depth--;
	return event(j, ev, NULL, 0);
}

static int on_null(void *c) { return event(c, JSON_NULL, NULL, 0); }
static int on_bool(void *c, int v) { return event(c, v ? JSON_TRUE : JSON_FALSE, NULL, 0); }
static int on_number(void *c, const char *s, size_t n) { return event(c, JSON_NUMBER, s, n); }
static int on_string(void *c, const unsigned char *s, size_t n) { return event(c, JSON_STRING, s, n); }
static int on_key(void *c, const unsigned char *s, size_t n) { return event(c, JSON_KEY, s, n); }
static int on_map(void *c) { return open_level(c, JSON_OBJECT); }
static int on_map_end(void *c) { return close_level(c, JSON_OBJECT_END); }
static int on_array(void *c) { return open_level(c, JSON_ARRAY); }
static int on_array_end(void *c) { return close_level(c, JSON_ARRAY_END); }

static const yajl_callbacks callbacks = {
	.yajl_null = on_null, .yajl_boolean = on_bool, .yajl_number = on_number,
	.yajl_string = on_string, .yajl_map_key = on_key,
	.yajl_start_map = on_map, .yajl_end_map = on_map_end,
	.yajl_start_array = on_array, .yajl_end_array = on_array_end,
};

struct json *
json_new(const char *what, json_fn fn, void *ctx, struct err *e)
{
	struct json *j = calloc(1, sizeof *j);

	if (!j || !(j->y = yajl_alloc(&callbacks, NULL, j))) {
		free(j);
		err_set(e, "out of memory");
		return NULL;
	}
	j->fn = fn;
	j->ctx = ctx;
	snprintf(j->what, sizeof j->what, "%s", what);
	return j;
}

static int
status(struct json *j, yajl_status s, struct err *e)
{
	unsigned char *msg;

	if (s == yajl_status_ok)
		return 0;
	if (j->failed)
		return -1;
	msg = yajl_get_error(j->y, 0, NULL, 0);
	if (msg)
		msg[strcspn((char *)msg, "\n")] = '\0';
	err_set(e, "%s: not JSON: %s", j->what, msg ? (char *)msg : "?");
	yajl_free_error(j->y, msg);
	return -1;
}

int
json_feed(struct json *j, const void *p, size_t n, struct err *e)
{
	j->e = e;
	return status(j, yajl_parse(j->y, p, n), e);
}

int
json_end(struct json *j, struct err *e)
{
	j->e = e;
	return status(j, yajl_complete_parse(j->y), e);
}

void
json_free(struct json *j)
{
	if (j)
		yajl_free(j->y);
	free(j);
}

int
json_text(const char *what, const void *p, size_t n, json_fn fn, void *ctx,
    struct err *e)
{
	struct json *j = json_new(what, fn, ctx, e);
	int r;

	if (!j)
		return -1;
	if ((r = json_feed(j, p, n, e)) == 0)
		r = json_end(j, e);
	json_free(j);
	return r;
}

int
json_write(void *ctx, enum json_ev ev, const char *s, size_t n, struct err *e)
{
	struct json_writer *w = ctx;
	struct buf *b = w->out;
	bool closing = ev == JSON_OBJECT_END || ev == JSON_ARRAY_END;

	(void)e;
	if (w->comma && !closing && !w->key)
		buf_put(b, ",", 1);
	w->comma = true;
	w->key = false;
	switch (ev) {
	case JSON_NULL:
		buf_str(b, "null");
		break;
	case JSON_TRUE:
		buf_str(b, "true");
		break;
	case JSON_FALSE:
		buf_str(b, "false");
		break;
	case JSON_NUMBER:
		buf_put(b, s, n);
		break;
	case JSON_STRING:
		buf_json(b, s, n);
		break;
	case JSON_KEY:
		buf_json(b, s, n);
		buf_put(b, ":", 1);
		w->key = true;
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		buf_put(b, ev == JSON_OBJECT ? "{" : "[", 1);
		w->comma = false;
		w->depth++;
		break;
	case JSON_OBJECT_END:
	case JSON_ARRAY_END:
		buf_put(b, ev == JSON_OBJECT_END ? "}" : "]", 1);
		w->depth--;
		break;
	}
	return 0;
}

bool
json_u64(const char *s, size_t n, uint64_t *v)
{
	uint64_t r = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || u64_mul(&r, r, 10) ||
		    u64_add(&r, r, (uint64_t)(s[i] - '0')))
			return false;
	}
	*v = r;
	return true;
}
