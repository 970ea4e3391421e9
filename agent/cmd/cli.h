/*
 * cmd/cli.h - what commands that talk to a cluster share: flags, a connection, one request at a
 * time, tables and colour.
 */
#ifndef CMD_CLI_H
#define CMD_CLI_H

#include <stdio.h>

#include "cmd/cmd.h"
#include "kube/kube.h"

enum cli_output { CLI_TABLE, CLI_WIDE, CLI_JSON, CLI_YAML };

struct cli {
	const char *command;
	const char *kubeconfig, *context,
		*ns; /* ns: flag, or the agent's default "modelsync" */
	enum cli_output output;
	int64_t timeout_ms;
	bool color; /* standard output is a terminal and NO_COLOR is not set */
	struct loop *loop;
	struct kube *kube;
};

struct cli_flag {	  /* of one command, besides the common ones */
	const char *name; /* "prune" */
	bool has_value;
	const char **value; /* with a value */
	bool *set;	    /* without */
	const char *help;   /* "N  text": the word before two spaces names the value */
};

/* Reads flags; common ones: --kubeconfig, --context, -n/--namespace, -o/--output, --timeout,
 * --help. argv is permuted, *operands gets the index of the first operand. Returns -1 to go on,
 * or an exit code (after --help, or with an explanation on standard error). */
int cli_flags(struct cli *c, int argc, char **argv, const struct cli_flag *flags,
	      const char *usage, const char *about, int *operands);

/* Connects and discovers. 0, or -1 with a message printed. */
int cli_connect(struct cli *c);
void cli_close(struct cli *c);

/* One request, waited for. The reply's tree belongs to `arena`. */
int cli_send(struct cli *c, const struct kube_request *r, struct arena *arena,
	     struct value **object, struct error *err);

/* "team/web" or "web" (then c->ns) to its parts. */
void cli_name(const struct cli *c, const char *operand, struct buf *ns, struct buf *name);

int cli_error(const struct cli *c, const struct error *err); /* prints; returns EXIT_FAILED */

/* ---- Output ---- */
enum cli_color { COLOR_NONE, COLOR_GOOD, COLOR_BAD, COLOR_WARN, COLOR_DIM, COLOR_BOLD };
/* `text` made safe and in colour when c->color. */
void cli_put(const struct cli *c, FILE *out, enum cli_color color, const char *text);

struct cli_table; /* columns are as wide as their widest cell */
struct cli_table *cli_table_new(const struct cli *c, const char *const *headers);
void cli_cell(struct cli_table *t, enum cli_color color,
	      const char *text);		      /* copied, made safe */
void cli_table_print(struct cli_table *t, FILE *out); /* and frees it */

/* -o json and -o yaml. */
void cli_print_value(const struct cli *c, const struct value *v);

#endif
