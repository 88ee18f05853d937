/* SPDX-License-Identifier: Apache-2.0
 *
 * child - another program, without a shell: its words go to it as they are, what it prints comes back.
 */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* In the child. A make above must not talk to the one that is started. */
static void start(const char *const *argv, int out)
{
	if (dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(126);
	signal(SIGXFSZ, SIG_DFL);
	unsetenv("MAKEFLAGS");
	unsetenv("MFLAGS");
	unsetenv("MAKELEVEL");
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

static void keep(cli_child *o, const char *text, size_t n)
{
	size_t room = sizeof o->text - 1;

	if (o->len + n > room) { /* the beginning goes */
		size_t drop = o->len + n - room;
		memmove(o->text, o->text + drop, o->len - drop);
		o->len -= drop;
	}
	memcpy(o->text + o->len, text, n);
	o->text[o->len += n] = 0;
}

/* Seconds since *last; fewer on a machine that more programs want than it has processors: the child had no more of them. */
static double had(struct timespec *last)
{
	struct timespec now;
	double load, cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);

	clock_gettime(CLOCK_MONOTONIC, &now);
	double d = (double)(now.tv_sec - last->tv_sec) + 1e-9 * (double)(now.tv_nsec - last->tv_nsec);
	*last = now;
	return getloadavg(&load, 1) == 1 && cpus >= 1 && load > cpus ? d * cpus / load : d;
}

/* Reads to the end, or until the child has had its seconds. */
static bool collect(cli_child *o, int from, int seconds)
{
	char part[4096];
	struct timespec last;
	double left = seconds;

	clock_gettime(CLOCK_MONOTONIC, &last);

	for (;;) {
		struct pollfd p = {from, POLLIN, 0};
		int ready = poll(&p, 1, 500);
		if (ready > 0) {
			ssize_t n = read(from, part, sizeof part);
			if (n <= 0) return true;
			keep(o, part, (size_t)n);
		} else if (ready < 0 && errno != EINTR) {
			return true;
		}
		if ((left -= had(&last)) <= 0) return false;
	}
}

cop_status cli_child_run(cli_child *out, cli *c, const char *const *argv, int seconds)
{
	int tube[2], status = 0;

	*out = (cli_child){.code = 127};
	fflush(stdout);
	if (pipe(tube)) return cli_fail(c, COP_IO, "%s could not be started: %s", argv[0], strerror(errno));
	pid_t pid = fork();
	if (!pid) {
		close(tube[0]);
		start(argv, tube[1]);
	}
	close(tube[1]);
	bool ended = pid > 0 && collect(out, tube[0], seconds);
	close(tube[0]);
	if (pid < 0) return cli_fail(c, COP_IO, "%s could not be started: %s", argv[0], strerror(errno));
	if (!ended) kill(pid, SIGTERM); /* make ends what it has started */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
	if (!ended) return cli_fail(c, COP_IO, "%s did not end within %d seconds", argv[0], seconds);
	out->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return COP_OK;
}

bool cli_has_program(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char full[4096];

	if (strchr(name, '/')) return !access(name, X_OK);
	for (; path && *path; path = *end ? end + 1 : end) {
		end = path + strcspn(path, ":");
		int n = snprintf(full, sizeof full, "%.*s/%s", (int)(end - path), path, name);
		if (n > 0 && n < (int)sizeof full && !access(full, X_OK)) return true;
	}
	return false;
}
