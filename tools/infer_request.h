/* SPDX-License-Identifier: MIT */
/* infer_request.h -- one line of --jsonl. */
#ifndef TOOL_INFER_REQUEST_H
#define TOOL_INFER_REQUEST_H

#include "infer.h"

struct request {
	struct run	 r;		/* with its stop strings and sampling */
	struct buf	 id;		/* JSON text, or empty */
	struct ids	 prompt;
	bool		 logprobs, timing;
	char		*stop[16];
	struct sample_bias *bias;
};

/* What the line says, else as the run has it; request_release() in any case,
 * and an id may be known though the rest was wrong. */
int	request_read(struct request *, const struct run *, const char *line, size_t n, struct err *);
void	request_release(struct request *);

#endif
