/* SPDX-License-Identifier: MIT */
/* relay.h -- a command that runs elsewhere, through a client that may not know
 * what became of it. */
#ifndef RELAY_H
#define RELAY_H

#include <stdbool.h>

/* A NUL, these digits, a NUL: what a command prints last when it has ended well,
 * and no command prints by itself. */
#define RELAY_DIGITS	16

/* Runs client (NULL behind the last word), and is there for it: its standard
 * output comes through without the mark, signals go on to it, and it dies with
 * us.  Its exit status, or 128 and its signal's number; *ended says whether the
 * mark was there.  Dies if there is no such client. */
int	relay(char **client, const char *digits, bool *ended);

#endif
