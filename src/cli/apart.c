/* SPDX-License-Identifier: Apache-2.0
 *
 * apart - is every path of a command line a file of its own? What would be lost is refused before the work begins.
 */
#include "cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool may_be_one(const cli_path *a, const cli_path *b)
{
	bool over = !strcmp(a->what, "-o") && !strcmp(b->what, "the network");
	return (!a->written && !b->written) || over;
}

cop_status cli_apart(cli *c, const cli_path *p, int n)
{
	struct stat s;

	for (int i = 0; i < n; i++) {
		for (int k = i + 1; k < n; k++) {
			if (!p[i].path || !p[k].path || may_be_one(&p[i], &p[k]) || !cop_file_same(p[i].path, p[k].path)) continue;
			if (!stat(p[i].path, &s) && S_ISCHR(s.st_mode)) continue; /* /dev/null keeps nothing */
			return cli_fail(c, COP_ARG, "%s: is %s and %s at once; one of them would be lost", p[i].path, p[i].what, p[k].what);
		}
	}
	return COP_OK;
}

cop_status cli_only_over(cli *c, const char *what, const char *path, const char *begins)
{
	char head[64];
	struct stat s;
	size_t n = strlen(begins);

	if (stat(path, &s) || !S_ISREG(s.st_mode) || !s.st_size) return COP_OK;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ours = fd >= 0 && read(fd, head, n) == (ssize_t)n && !memcmp(head, begins, n);
	if (fd >= 0) close(fd);
	return ours ? COP_OK : cli_fail(c, COP_ARG,
		"%s: this file exists and is not what %s writes, so it is left alone; move it away, or choose another path", path,
		what);
}

cop_status cli_can_resume(cli *c, const cop_train_args *a)
{
	struct stat s;

	CLI_TRY(cli_can_write(c, a->checkpoint));
	if (!a->resume || !lstat(a->checkpoint, &s)) return COP_OK;
	cli_note(c, "%s: there is no checkpoint, so this begins at the start", a->checkpoint);
	return COP_OK;
}

cop_status cli_append(char out[CLI_MOST_PATH], cli *c, const char *path, const char *end)
{
	int n = snprintf(out, CLI_MOST_PATH, "%s%s", path, end);
	return n > 0 && n < CLI_MOST_PATH ? COP_OK : cli_fail(c, COP_ARG, "%.60s...: the path is too long", path);
}
