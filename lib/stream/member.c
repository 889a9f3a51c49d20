/* SPDX-License-Identifier: MIT */
/* member.c -- names of members: no name is a path, none depends on a locale. */
#include <stdio.h>
#include <string.h>

#include "member.h"

const char *
member_name(enum member_kind kind, const char *name, char dst[MEMBER_NAME])
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789_-";
	static const char source[] = ".source/";
	char *d = dst;
	const char *s = name;

	if (kind == MEMBER_TAIL)
		return strcpy(dst, "tail.json");
	d += sprintf(d, "%s", kind == MEMBER_TENSOR ? "tensors/" : "files/");
	if (kind == MEMBER_FILE && !strncmp(s, source, sizeof source - 1)) {
		d += sprintf(d, "%s", source);
		s += sizeof source - 1;
	}
	for (const char *p = s; *p && d < dst + MEMBER_NAME - 4; p++) {
		if ((*p == '.' && (p > s || s > name)) || strchr(plain, *p))
			*d++ = *p;
		else
			d += sprintf(d, "%%%02X", (unsigned char)*p);
	}
	*d = '\0';
	return dst;
}

void
member_sum_hex(XXH128_hash_t h, char dst[33])
{
	XXH128_canonical_t c;

	XXH128_canonicalFromHash(&c, h);
	for (size_t i = 0; i < sizeof c.digest; i++)
		sprintf(dst + 2 * i, "%02x", c.digest[i]);
}
