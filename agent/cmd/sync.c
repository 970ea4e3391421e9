/* cmd/sync.c - `sync` asks the agent and waits; `wait` only waits. */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cmd/application.h"
#include "sync/sync.h"
#include "value/json.h"

struct goal {
	const char *token;    /* of the sync that was asked for, or NULL */
	const char *revision; /* prefix of the commit to wait for, or NULL */
	bool synced_only;     /* don't wait for health */
};

static bool has_ended(void *arg, const struct application_view *v)
{
	const struct goal *g = arg;

	return text_eq(v->requested, g->token) && strcmp(v->phase, "Running") != 0;
}

static bool is_there(void *arg, const struct application_view *v)
{
	const struct goal *g = arg;

	if (g->revision && !text_starts(v->revision, g->revision))
		return false;
	return g->synced_only ? !strcmp(v->sync, "Synced") && v->observed == v->generation
			      : v->ready;
}

static int report(struct cli *c, const struct value *object)
{
	struct application_view v;

	application_view(object, &v);
	if (c->output == CLI_JSON || c->output == CLI_YAML) {
		cli_print_value(c, value_get(object, "status"));
	} else {
		printf("%s/%s %.12s ", v.ns, v.name, v.revision);
		cli_put(c, stdout, !strcmp(v.sync, "Synced") ? COLOR_GOOD : COLOR_BAD, v.sync);
		printf(", %s; %s", v.health, v.phase);
		if (*v.operation_message)
			printf(": %s", v.operation_message);
		if (!v.ready && *v.message) {
			printf("\n  ");
			cli_put(c, stdout, COLOR_BAD, v.reason);
			printf(": ");
			cli_put(c, stdout, COLOR_NONE, v.message);
		}
		putchar('\n');
	}
	return strcmp(v.sync, "Synced") ? EXIT_FAILED : EXIT_DONE;
}

static int ask(struct cli *c, const char *operand, const char *token, struct arena *a,
	       struct error *err)
{
	AUTO(buf) ns = BUF_INIT;
	AUTO(buf) name = BUF_INIT;
	AUTO(buf) body = BUF_INIT;
	struct value *patch = value_object(a), *answer = NULL;
	struct value *meta = value_object_at(a, patch, "metadata");

	cli_name(c, operand, &ns, &name);
	value_set_string(a, value_object_at(a, meta, "annotations"), ANNOTATION_SYNC, token);
	value_json_write(patch, &body);
	struct kube_request r = {
		.verb = KUBE_MERGE_PATCH,
		.kind = kube_kind(c->kube, "modelsync.dev", NULL, "Application"),
		.ns = ns.ptr,
		.name = name.ptr,
		.body = body.ptr,
		.body_len = body.len,
		.field_manager = "modelsync-cli",
		.metadata_only = true};
	if (!r.kind)
		return error_reason(
			err, ERROR_INVALID, "CrdMissing",
			"this cluster doesn't know Applications of modelsync.dev: run "
			"`modelsync install`");
	return cli_send(c, &r, a, &answer, err)
		       ? error_wrap(err, "application %s/%s", ns.ptr, name.ptr)
		       : 0;
}

int cmd_sync(int argc, char **argv)
{
	static const char about[] =
		"Asks the agent to poll the repository and sync the Application now, also when "
		"automated sync is\noff, and waits for the end. Exit code 0: it is in sync; 1: "
		"it is "
		"not, and the reason is printed.";
	bool prune = false, no_wait = false;
	const struct cli_flag flags[] = {
		{"prune", false, NULL, &prune,
		 "  prune although syncPolicy.automated.prune is off"},
		{"no-wait", false, NULL, &no_wait, "  don't wait for the end"},
		{NULL, false, NULL, NULL, NULL}};
	struct cli c;
	struct error err = ERROR_INIT;
	struct arena *a = arena_new();
	struct value *object = NULL;
	char when[CLOCK_TEXT_MAX], token[64];
	int at, code = cli_flags(&c, argc, argv, flags, "sync [NAMESPACE/]APP", about, &at);

	if (code < 0 && at + 1 != argc) {
		fprintf(stderr,
			"modelsync sync: one Application is wanted; --help tells more\n");
		code = EXIT_USAGE;
	}
	snprintf(token, sizeof token, "%s%s", clock_micro(clock_now_ms(), when),
		 prune ? SYNC_PRUNE_SUFFIX : "");
	struct goal goal = {.token = token};
	if (code < 0 && cli_connect(&c))
		code = EXIT_FAILED;
	if (code < 0 && ask(&c, argv[at], token, a, &err))
		code = cli_error(&c, &err);
	if (code < 0 && no_wait)
		code = EXIT_DONE;
	if (code < 0)
		code = application_watch(&c, argv[at], has_ended, &goal, a, &object, &err)
			       ? cli_error(&c, &err)
			       : report(&c, object);
	arena_free(a);
	cli_close(&c);
	return code;
}

int cmd_wait(int argc, char **argv)
{
	static const char about[] =
		"Waits until the Application is synced and healthy. Exit code 0: it is; 1: not "
		"before --timeout,\nand the reason is printed.";
	const char *revision = NULL;
	bool synced = false;
	const struct cli_flag flags[] = {
		{"revision", true, &revision, NULL,
		 "COMMIT  wait for this commit (or a prefix)"},
		{"synced", false, NULL, &synced, "  don't wait for health"},
		{NULL, false, NULL, NULL, NULL}};
	struct cli c;
	struct error err = ERROR_INIT;
	struct arena *a = arena_new();
	struct value *object = NULL;
	int at, code = cli_flags(&c, argc, argv, flags, "wait [NAMESPACE/]APP", about, &at);
	struct goal goal = {.revision = revision, .synced_only = synced};

	if (code < 0 && at + 1 != argc) {
		fprintf(stderr,
			"modelsync wait: one Application is wanted; --help tells more\n");
		code = EXIT_USAGE;
	}
	if (code < 0 && cli_connect(&c))
		code = EXIT_FAILED;
	if (code < 0) {
		if (application_watch(&c, argv[at], is_there, &goal, a, &object, &err)) {
			code = cli_error(&c, &err);
			if (object)
				report(&c, object);
		} else {
			code = report(&c, object);
		}
	}
	arena_free(a);
	cli_close(&c);
	return code;
}
