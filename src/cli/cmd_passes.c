/* SPDX-License-Identifier: Apache-2.0
 *
 * passes - lists the passes of `coppice apply`.
 */
#include "cli.h"

cop_status cmd_passes(cli *c, int argc, char **argv)
{
	const cli_line line = {.args = "",
	        .doc = "Lists the passes of `coppice apply` and their options, each as name:kind (i: whole number, f: real number, s: text).\vExample:\n  coppice "
	               "passes\n"
	               "  coppice apply net.cop \"batch:n=8 fuse\" -o out.cop"};
	const char *name, *args = "", *summary = "";

	CLI_TRY(cli_parse_line(c, &line, argc, argv));
	cli_put_list(c, "passes");
	for (int i = 0; (name = cop_pass_name(i, &args, &summary)); i++) {
		cli_put_item(c, NULL);
		cli_put_text(c, "name", name);
		cli_put_text(c, "args", args);
		cli_put_text(c, "summary", summary);
		cli_put_item_end(c);
		cli_out(c, "%-10s %-22s %s\n", name, args, summary);
	}
	cli_put_end(c);
	return COP_OK;
}
