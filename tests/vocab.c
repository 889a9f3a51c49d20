/* SPDX-License-Identifier: MIT */
/*
 * vocab.c -- tokenizers from the command line, for tests:
 *	vocab FROM TO
 * FROM: hf:FAMILY DIR (bpe llama qwen gemma gemma3 phi3), file FILE (.gguf,
 * .apr), meta FILE (an .apr's JSON).  TO: keys (GGUF's, as JSON in the form of the fixtures' expected
 * files), kv (their bytes), apr (an object of metadata), dir DIR, none.
 * Warnings go to standard error, a line each; "vocab: why" and 1 is failure.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr/file.h>
#include <apr/size.h>

static const char *const families[] = {
	[VOCAB_FAMILY_BPE] = "bpe", [VOCAB_FAMILY_LLAMA] = "llama",
	[VOCAB_FAMILY_QWEN] = "qwen", [VOCAB_FAMILY_GEMMA] = "gemma",
	[VOCAB_FAMILY_GEMMA3] = "gemma3", [VOCAB_FAMILY_PHI3] = "phi3",
};

static int
slurp(const char *path, struct buf *b, struct err *e)
{
	int fd = open(path, O_RDONLY);
	char p[65536];
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "%s", path);
	while ((n = read(fd, p, sizeof p)) > 0)
		buf_put(b, p, (size_t)n);
	close(fd);
	return n < 0 ? err_sys(e, "%s", path) : buf_check(b, e);
}

#define FILES_MAX	64

static int
from_dir(struct vocab *v, const char *family, const char *dir, struct err *e)
{
	struct vocab_file file[FILES_MAX];
	struct buf bytes[FILES_MAX] = { { 0 } };
	char *name[FILES_MAX], path[4096];
	size_t n = 0, k = 0;
	DIR *d = opendir(dir);
	struct dirent *de;
	int r = 0;

	if (!d)
		return err_sys(e, "%s", dir);
	while (k < sizeof families / sizeof *families && strcmp(family, families[k]))
		k++;
	if (k == sizeof families / sizeof *families)
		r = err_set(e, "%s: no family", family);
	while (r == 0 && n < FILES_MAX && (de = readdir(d))) {
		struct stat st;

		snprintf(path, sizeof path, "%s/%s", dir, de->d_name);
		if (de->d_name[0] == '.' || strstr(de->d_name, ".safetensors") ||
		    stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		r = slurp(path, &bytes[n], e);
		name[n] = strdup(de->d_name);
		file[n] = (struct vocab_file){ name[n], bytes[n].p, bytes[n].len };
		n++;
	}
	closedir(d);
	if (r == 0)
		r = vocab_from_hf(v, file, n, (enum vocab_family)k, 0, e);
	while (n-- > 0) {
		free(name[n]);
		buf_release(&bytes[n]);
	}
	return r;
}

static int
from_file(struct vocab *v, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY), r = -1;
	const struct format *f;
	const unsigned char *p;
	struct manifest *m;
	struct header h = { 0 };
	struct in *in;
	size_t n;

	if (fd < 0)
		return err_sys(e, "%s", path);
	if (!(m = manifest_new(e)))
		return -1;
	if ((in = in_open(fd, e))) {
		if (in_peek(in, 64, &p, &n, e) == 0) {
			if (!(f = format_probe(p, n)))
				err_set(e, "%s: no format", path);
			else if ((r = header_parse(&h, f, in, m, 0, e)) == 0)
				r = header_vocab(&h, v, e);
		}
		in_close(in);
	}
	header_release(&h);
	manifest_free(m);
	close(fd);
	return r;
}

static int
from_meta(struct vocab *v, const char *path, struct err *e)
{
	struct buf b = { 0 };
	int r = slurp(path, &b, e);

	if (r == 0)
		r = vocab_from_apr(v, b.p, b.len, e);
	buf_release(&b);
	return r;
}

/* sha256sum(1) of bytes. */
static void
sha256(const void *p, size_t n, char hex[65])
{
	char path[] = "/tmp/vocab.XXXXXX", cmd[64];
	int fd = mkstemp(path);
	FILE *f;

	hex[0] = '\0';
	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		return;
	snprintf(cmd, sizeof cmd, "sha256sum <%s", path);
	if ((f = popen(cmd, "r"))) {
		if (fread(hex, 1, 64, f) == 64)
			hex[64] = '\0';
		pclose(f);
	}
	close(fd);
	unlink(path);
}

static const char *const type_names[] = { "UINT8", "INT8", "UINT16", "INT16",
	"UINT32", "INT32", "FLOAT32", "BOOL", "STRING", "ARRAY" };
enum { U8, U32 = 4, I32 = 5, F32 = 6, BOOL = 7, STRING = 8, ARRAY = 9 };

/* One value as JSON, and its bytes as the fixtures hash them. */
static const unsigned char *
show(const unsigned char *p, unsigned type, struct buf *json, struct buf *hashed)
{
	unsigned char b[8];
	uint64_t n;
	uint32_t u;
	float f;

	switch (type) {
	case STRING:
		n = le64_get(p);
		buf_json(json, p + 8, (size_t)n);
		buf_put(hashed, p, 8 + (size_t)n);
		return p + 8 + n;
	case F32:
		u = le32_get(p);
		memcpy(&f, &u, sizeof f);
		buf_printf(json, "%.9g", (double)f);
		buf_put(hashed, p, 4);
		return p + 4;
	case BOOL:
		buf_str(json, p[0] ? "true" : "false");
		le64_put(b, p[0]);
		buf_put(hashed, b, 8);
		return p + 1;
	case U8:
		buf_printf(json, "%d", p[0]);
		le64_put(b, p[0]);
		buf_put(hashed, b, 8);
		return p + 1;
	case U32:
	case I32:
		u = le32_get(p);
		le64_put(b, type == I32 ? (uint64_t)(int64_t)(int32_t)u : u);
		buf_put(hashed, b, 8);
		if (type == I32)
			buf_printf(json, "%d", (int)(int32_t)u);
		else
			buf_printf(json, "%u", u);
		return p + 4;
	}
	abort();	/* nothing of ours */
}

static void
show_array(const unsigned char **p, unsigned *type, struct buf *json)
{
	struct buf all = { 0 }, hashed = { 0 }, first = { 0 };
	uint64_t n = le64_get(*p + 4), i;
	char hex[65];

	*type = le32_get(*p);
	*p += 12;
	for (i = 0; i < n; i++) {
		buf_str(&all, i ? "," : "");
		if (i == 8)
			buf_put(&first, all.p, all.len - 1);
		*p = show(*p, *type, &all, &hashed);
	}
	if (n <= 40) {
		buf_str(json, "[");
		buf_put(json, all.p, all.len);
		buf_str(json, "]");
	} else {
		sha256(hashed.p, hashed.len, hex);
		buf_printf(json, "{\"count\":%llu,\"sha256\":\"%s\",\"first\":[",
		    (unsigned long long)n, hex);
		buf_put(json, first.p, first.len);
		buf_str(json, "]}");
	}
	buf_release(&all);
	buf_release(&hashed);
	buf_release(&first);
}

/* Key-values' bytes as a JSON object, in their order. */
static void
show_keys(const struct buf *kv, struct buf *json)
{
	const unsigned char *p = kv->p, *end = kv->len ? kv->p + kv->len : p;
	struct buf none = { 0 };

	buf_str(json, "{");
	while (p < end) {
		uint64_t n = le64_get(p);
		unsigned type = le32_get(p + 8 + n);
		struct buf value = { 0 };

		if (p != kv->p)
			buf_str(json, ",\n");
		buf_json(json, p + 8, (size_t)n);
		p += 12 + n;
		if (type == ARRAY) {
			show_array(&p, &type, &value);
			buf_printf(json, ":{\"type\":[\"ARRAY\",\"%s\"],\"value\":", type_names[type]);
		} else {
			p = show(p, type, &value, &none);
			buf_printf(json, ":{\"type\":[\"%s\"],\"value\":", type_names[type]);
		}
		buf_put(json, value.p, value.len);
		buf_str(json, "}");
		buf_release(&value);
	}
	buf_release(&none);
	buf_str(json, "}\n");
}

static int
put_fd(void *ctx, const void *p, size_t n, struct err *e)
{
	return io_write(*(int *)ctx, p, n, e);
}

static int
to_dir(struct vocab *v, const char *dir, struct err *e)
{
	struct buf config = { 0 };
	const char *name;
	char path[4096];
	int fd, r = 0;

	if (mkdir(dir, 0777) < 0)
		return err_sys(e, "%s", dir);
	for (size_t i = 0; r == 0 && (name = vocab_file_name(v, i)); i++) {
		snprintf(path, sizeof path, "%s/%s", dir, name);
		if ((fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666)) < 0)
			return err_sys(e, "%s", path);
		r = vocab_put_file(v, name, put_fd, &fd, e);
		close(fd);
	}
	buf_printf(&config, "{\"vocab_size\":%zu", v->rows);
	vocab_put_config(v, &config);
	buf_str(&config, "}\n");
	snprintf(path, sizeof path, "%s/config.json", dir);
	if (r == 0 && (fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666)) >= 0) {
		r = io_write(fd, config.p, config.len, e);
		close(fd);
	}
	buf_release(&config);
	return r;
}

static int
to(struct vocab *v, int n, char **arg, struct err *e)
{
	struct buf out = { 0 }, json = { 0 };
	uint64_t nkv = 0;
	int r = 0;

	if (n == 2 && !strcmp(arg[0], "dir"))
		return to_dir(v, arg[1], e);
	if (!strcmp(arg[0], "apr")) {
		buf_str(&out, "{\"model_type\":\"\"");
		r = vocab_put_apr(v, &out, e);
		buf_str(&out, "}\n");
	} else if (strcmp(arg[0], "none")) {
		r = vocab_put_gguf(v, &out, &nkv, NULL, NULL, e);
		if (r == 0 && !strcmp(arg[0], "keys")) {
			show_keys(&out, &json);
			r = io_write(1, json.p, json.len, e);
			out.len = 0;
		}
	}
	if (r == 0)
		r = io_write(1, out.p, out.len, e);
	buf_release(&out);
	buf_release(&json);
	return r;
}

int
main(int argc, char **argv)
{
	struct err e = { "" };
	struct vocab *v;
	int r;

	if (argc < 4) {
		fprintf(stderr, "vocab: hf:FAMILY DIR|file FILE|meta FILE keys|kv|apr|none|dir DIR\n");
		return 2;
	}
	if (!(v = vocab_new(&e)))
		return 1;
	r = !strncmp(argv[1], "hf:", 3) ? from_dir(v, argv[1] + 3, argv[2], &e) :
	    !strcmp(argv[1], "meta") ? from_meta(v, argv[2], &e) : from_file(v, argv[2], &e);
	if (r == 0)
		r = to(v, argc - 3, argv + 3, &e);
	for (size_t i = 0; i < v->nwarning; i++)
		fprintf(stderr, "warning: %s\n", v->warning[i]);
	vocab_free(v);
	if (r < 0)
		fprintf(stderr, "vocab: %s\n", e.msg);
	return r < 0;
}
