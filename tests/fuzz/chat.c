/* SPDX-License-Identifier: MIT */
/* chat.c -- hostile text as a chat template; behind a NUL, as the messages. */
#include <stdlib.h>
#include <string.h>

#include <apr/token.h>

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char usual[] = "[{\"role\":\"system\",\"content\":\"Be brief.\"},"
	    "{\"role\":\"user\",\"content\":\" Hi \",\"n\":-7},{\"role\":\"assistant\",\"content\":"
	    "\"<think>\\n5</think>Yes\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{}}}]}]";
	struct err e = { "" };
	struct vocab *v = vocab_new(&e);
	char *text = malloc(size + 1), *json;
	struct buf out = { 0 };
	size_t n;

	if (!v || !text)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	n = strlen(text);
	json = n < size ? text + n + 1 : NULL;
	if (chat_render(v, text, n, json ? json : usual, json ? size - n - 1 : sizeof usual - 1,
	    true, &out, &e) < 0 && !e.msg[0])
		abort();
	if (strpbrk(e.msg, "\n\r\033"))
		abort();
	buf_release(&out);
	vocab_free(v);
	free(text);
	return 0;
}
