/* SPDX-License-Identifier: MIT */
/* apr-srun -- a shell for make: what a target exports decides whether a line
 * runs here or as a step of a Slurm job. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "relay.h"
#include "tool.h"

const char usage_text[] =
    "usage: apr-srun [--plan] [bash's options] -c line [argument...]\n"
    "      --plan    print the command, do not run it\n"
    "  -q, --quiet  -v, --verbose  --help  --version\n"
    "make -j64 SHELL=apr-srun; APR_SRUN has srun's options, without it the line runs here\n";

enum { OPT_PLAN = OPT_OWN };

static const struct option options[] = {
	{ "plan", no_argument, NULL, OPT_PLAN },
	TOOL_OPTIONS
};

/* One task, that has what it asks for and no more, even in an allocation that
 * has more; its client does not fight for the terminal, and dies when told. */
static const char *const step[] = {
	"--nodes=1", "--ntasks=1", "--exact", "--input=none", "--quit-on-interrupt",
};

struct words {
	char	**p;		/* NULL behind the last */
	size_t	  n;
};

static void
add(struct words *w, const char *word)
{
	char **p = reallocarray(w->p, w->n + 2, sizeof *p);

	if (!p || !(p[w->n] = strdup(word)))
		die("out of memory");
	w->p = p;
	w->p[++w->n] = NULL;
}

static void
release(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->p[i]);
	free(w->p);
}

/* make puts bash's options there, so only what comes before them is ours. */
static bool
own(const char *word)
{
	for (const struct option *o = options; o->name; o++)
		if (o->val < OPT_HELP && word[0] == '-' && word[1] == o->val && !word[2])
			return true;
		else if (!strncmp(word, "--", 2) && !strcmp(word + 2, o->name))
			return true;
	return false;
}

/* Does a line follow?  -c, or -ec, or the like. */
static bool
has_line(char **words)
{
	for (; *words; words++)
		if (words[0][0] == '-' && words[0][1] != '-' && strchr(words[0], 'c') &&
		    words[1])
			return true;
	return false;
}

/* srun with its options, and a line around the line that says its end. */
static void
add_srun(struct words *w, char *wanted, const char *end)
{
	char line[128], *next;

	add(w, "srun");
	if (!tool_verbose())
		add(w, "--quiet");
	for (size_t i = 0; i < sizeof step / sizeof *step; i++)
		add(w, step[i]);
	for (char *s = strtok_r(wanted, " \t\n", &next); s; s = strtok_r(NULL, " \t\n", &next))
		add(w, s);
	snprintf(line, sizeof line, "bash \"$@\" && printf '\\0%%s\\0' %s", end);
	add(w, "bash");
	add(w, "-c");
	add(w, line);
}

/* srun exits with 0, too, when the node died under the line (22.05: "Node
 * failure" and no task that failed), so its end must have been said. */
static int
run(char **command, const char *end)
{
	bool ended;
	int status = relay(command, end, &ended);

	if (status == 0 && !ended)
		die("srun came back before the line had ended");
	return status;
}

int
main(int argc, char **argv)
{
	char *wanted = getenv("APR_SRUN"), end[RELAY_DIGITS + 1];
	struct words w = { 0 };
	bool plan = false;
	uint64_t once;
	int c, status = STATUS_OK;

	tool_init(argv);
	while (optind < argc && own(argv[optind]) &&
	    (c = getopt_long(argc, argv, "+" TOOL_OPTSTRING, options, NULL)) != -1)
		if (c == OPT_PLAN)
			plan = true;
		else
			tool_option(c);
	if (!has_line(argv + optind))
		usage("no line to run");
	if (getrandom(&once, sizeof once, 0) != sizeof once)
		die("no random number: %s", strerror(errno));
	snprintf(end, sizeof end, "%016" PRIx64, once);
	if (wanted)
		add_srun(&w, wanted, end);
	/* The command; or $0 of the line around it. */
	add(&w, "bash");
	for (char **s = argv + optind; *s; s++)
		add(&w, *s);
	/* What the line starts is there already. */
	unsetenv("APR_SRUN");
	if (plan) {
		for (size_t i = 0; i < w.n; i++)
			printf("%s%s", w.p[i], i + 1 < w.n ? " " : "\n");
		tool_flush();
	} else if (wanted) {
		status = run(w.p, end);
	} else {
		execvp(w.p[0], w.p);
		die("%s: %s", w.p[0], strerror(errno));
	}
	release(&w);
	return status;
}
