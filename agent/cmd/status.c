/* cmd/status.c - a table of Applications, or all about one. */
#include <string.h>

#include "base/text.h"
#include "cmd/application.h"

static enum cli_color word_color(const char *word)
{
	static const struct {
		const char *word;
		enum cli_color color;
	} words[] = {
		{"Synced", COLOR_GOOD},	   {"Healthy", COLOR_GOOD},
		{"True", COLOR_GOOD},	   {"Succeeded", COLOR_GOOD},
		{"OutOfSync", COLOR_WARN}, {"Progressing", COLOR_WARN},
		{"Suspended", COLOR_WARN}, {"Running", COLOR_WARN},
		{"Degraded", COLOR_BAD},   {"Missing", COLOR_BAD},
		{"Failed", COLOR_BAD},	   {"False", COLOR_BAD},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(word, words[i].word))
			return words[i].color;
	return COLOR_NONE;
}

static void cell(struct cli_table *t, const char *text)
{
	cli_cell(t, word_color(text), *text ? text : "-");
}

static void print_list(struct cli *c, const struct value *list)
{
	static const char *const headers[] = {"APPLICATION", "SYNC",	"HEALTH", "COMMIT",
					      "SIGNER",	     "OBJECTS", "REASON", NULL};
	struct cli_table *t = cli_table_new(c, headers);
	struct value *item;

	array_each (value_get(list, "items"), i, item) {
		struct application_view v;
		char text[64];

		application_view(item, &v);
		AUTO(buf) name = BUF_INIT;
		buf_printf(&name, "%s/%s", v.ns, v.name);
		cli_cell(t, COLOR_NONE, name.ptr);
		cell(t, v.sync);
		cell(t, v.health);
		snprintf(text, sizeof text, "%.8s", v.revision);
		cell(t, text);
		cell(t, v.signer);
		snprintf(text, sizeof text, "%lld", (long long)v.objects);
		cell(t, text);
		cli_cell(t, v.ready ? COLOR_GOOD : COLOR_BAD, *v.reason ? v.reason : "-");
	}
	cli_table_print(t, stdout);
}

static void line(struct cli *c, const char *label, enum cli_color color, const char *text)
{
	if (!text || !*text)
		return;
	printf("%-12s ", label);
	cli_put(c, stdout, color, text);
	putchar('\n');
}

static void print_history(struct cli *c, const struct value *history)
{
	static const char *const headers[] = {"DEPLOYED", "COMMIT", "SIGNER",  "TOOK", "+",
					      "~",	  "-",	    "SUBJECT", NULL};
	struct cli_table *t;
	struct value *item;
	char text[32];

	if (!value_len(history))
		return;
	puts("\nHistory");
	t = cli_table_new(c, headers);
	array_each (history, i, item) {
		const char *at = value_get_str(item, "deployedAt");
		const char *revision = value_get_str(item, "revision");
		cell(t, at ? at : "");
		snprintf(text, sizeof text, "%.8s", revision ? revision : "");
		cell(t, text);
		cell(t, value_get_str(item, "signer") ? value_get_str(item, "signer") : "");
		cell(t, value_get_str(item, "took") ? value_get_str(item, "took") : "");
		snprintf(text, sizeof text, "%lld",
			 (long long)value_get_int(item, "created", 0));
		cell(t, text);
		snprintf(text, sizeof text, "%lld",
			 (long long)value_get_int(item, "updated", 0) +
				 value_get_int(item, "repaired", 0));
		cell(t, text);
		snprintf(text, sizeof text, "%lld",
			 (long long)value_get_int(item, "pruned", 0));
		cell(t, text);
		cell(t, value_get_str(item, "subject") ? value_get_str(item, "subject") : "");
	}
	cli_table_print(t, stdout);
}

static void print_attention(struct cli *c, const struct value *resources)
{
	static const char *const headers[] = {"KIND",	"NAMESPACE", "NAME",
					      "HEALTH", "WHY",	     NULL};
	struct cli_table *t;
	struct value *item;

	if (!value_len(resources))
		return;
	puts("\nNeeds attention");
	t = cli_table_new(c, headers);
	array_each (resources, i, item) {
		const struct value *h = value_get(item, "health");
		const char *cells[] = {value_get_str(item, "kind"),
				       value_get_str(item, "namespace"),
				       value_get_str(item, "name"), value_get_str(h, "status"),
				       value_get_str(h, "message")};
		for (size_t k = 0; k < ARRAY_LEN(cells); k++)
			cell(t, cells[k] ? cells[k] : "");
	}
	cli_table_print(t, stdout);
}

static void print_one(struct cli *c, const struct value *object)
{
	const struct value *status = value_get(object, "status");
	const struct value *source = value_at(object, "spec", "source", NULL);
	struct application_view v;
	struct value *q;

	application_view(object, &v);
	AUTO(buf) text = BUF_INIT;
	buf_printf(&text, "%s/%s", v.ns, v.name);
	line(c, "Application", COLOR_BOLD, text.ptr);
	line(c, "Source", COLOR_NONE, value_get_str(source, "repoURL"));
	line(c, "Target", COLOR_NONE,
	     value_get_str(source, "targetRevision") ? value_get_str(source, "targetRevision")
						     : "HEAD");
	line(c, "Path", COLOR_NONE, value_get_str(source, "path"));
	line(c, "Commit", COLOR_NONE, v.revision);
	line(c, "Trusted", COLOR_NONE, value_get_str(status, "lastTrusted"));
	line(c, "Signer", COLOR_NONE, v.signer);
	line(c, "Sync", word_color(v.sync), v.sync);
	buf_reset(&text);
	buf_printf(&text, "%s%s%s", v.health, *v.health_message ? ": " : "", v.health_message);
	line(c, "Health", word_color(v.health), text.ptr);
	buf_reset(&text);
	buf_printf(&text, "%lld", (long long)v.objects);
	line(c, "Objects", COLOR_NONE, text.ptr);
	buf_reset(&text);
	buf_printf(&text, "%s%s%s", v.reason, *v.message ? ": " : "", v.message);
	line(c, "Ready", v.ready ? COLOR_GOOD : COLOR_BAD, text.ptr);
	buf_reset(&text);
	buf_printf(&text, "%s %s", v.phase, v.operation_message);
	line(c, "Last sync", COLOR_NONE, *v.phase ? text.ptr : "");
	array_each (value_get(status, "quarantined"), i, q) {
		buf_reset(&text);
		buf_printf(&text, "%.8s %s",
			   value_get_str(q, "revision") ? value_get_str(q, "revision") : "",
			   value_get_str(q, "message") ? value_get_str(q, "message") : "");
		line(c, "Quarantined", COLOR_BAD, text.ptr);
	}
	print_attention(c, value_get(status, "resources"));
	print_history(c, value_get(status, "history"));
}

int cmd_status(int argc, char **argv)
{
	static const char about[] =
		"Without a name: all Applications of the agent's namespace, a line each. With "
		"one: "
		"its commit,\nsigner, sync, health, what needs attention, and its history.\n"
		"Exit code 0 when all that is shown is ready, 1 when not.";
	struct cli c;
	struct error err = ERROR_INIT;
	struct value *object = NULL, *item;
	struct arena *a = arena_new();
	struct application_view v;
	bool ready = true;
	int at, code = cli_flags(&c, argc, argv, NULL, "status [NAMESPACE/]APP", about, &at);

	if (code < 0 && cli_connect(&c))
		code = EXIT_FAILED;
	if (code < 0 && (at < argc ? application_get(&c, argv[at], a, &object, &err)
				   : application_list(&c, a, &object, &err)))
		code = cli_error(&c, &err);
	if (code < 0) {
		if (c.output == CLI_JSON || c.output == CLI_YAML)
			cli_print_value(&c, object);
		else if (at < argc)
			print_one(&c, object);
		else
			print_list(&c, object);
		if (at < argc) {
			application_view(object, &v);
			ready = v.ready;
		}
		array_each (value_get(object, "items"), i, item) {
			application_view(item, &v);
			ready &= v.ready;
		}
		code = ready ? EXIT_DONE : EXIT_FAILED;
	}
	arena_free(a);
	cli_close(&c);
	return code;
}
