/*
 * cmd/install.c - applies the CRDs and the agent's own manifests, which are part of this
 * program. Running it again upgrades them; what it does not name is left alone.
 */
#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "cmd/cli.h"
#include "cmd/embed.h"
#include "value/json.h"
#include "value/yaml.h"

#define IMAGE_DEFAULT "modelsync:" MODELSYNC_VERSION
#define MANAGER	      "modelsync-install"

struct install {
	struct cli cli;
	const char *image;
	bool crds_only, dry_run;
	size_t applied, unchanged;
};

static void replace(struct buf *out, const char *text, const char *end, const char *ns,
		    const char *image)
{
	static const char ns_mark[] = "__NAMESPACE__", image_mark[] = "__IMAGE__";

	while (text < end) {
		if (!strncmp(text, ns_mark, sizeof ns_mark - 1)) {
			buf_puts(out, ns);
			text += sizeof ns_mark - 1;
		} else if (!strncmp(text, image_mark, sizeof image_mark - 1)) {
			buf_puts(out, image);
			text += sizeof image_mark - 1;
		} else {
			buf_putc(out, *text++);
		}
	}
}

static bool is_label(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (; *s; s++)
		if (!islower((unsigned char)*s) && !isdigit((unsigned char)*s) && *s != '-')
			return false;
	return true;
}

static bool is_image(const char *s)
{
	size_t n = strlen(s);

	return n && n < 512 &&
	       strspn(s,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@") ==
		       n;
}

static const struct kube_kind *find_kind(struct install *in, const struct value *object,
					 char text[320])
{
	const char *version = value_get_str(object, "apiVersion");
	const char *kind = value_get_str(object, "kind");
	const char *name = value_str(value_at(object, "metadata", "name", NULL));
	const char *slash = version ? strchr(version, '/') : NULL;
	char group[128] = "";

	snprintf(text, 320, "%s %s", kind ? kind : "?", name ? name : "?");
	if (!version || !kind || !name)
		return NULL;
	if (slash)
		snprintf(group, sizeof group, "%.*s", (int)(slash - version), version);
	return kube_kind(in->cli.kube, group, slash ? slash + 1 : version, kind);
}

static int apply_one(struct install *in, struct arena *a, const struct value *object,
		     struct error *err)
{
	char text[320];
	const struct kube_kind *kind = find_kind(in, object, text);
	AUTO(buf) body = BUF_INIT;
	struct value *answer = NULL, *before = NULL;
	struct error none = ERROR_INIT;

	if (!kind)
		return error_reason(err, ERROR_INVALID, "KindUnknown",
				    "%s: this API server doesn't serve its kind", text);
	value_json_write(object, &body);
	struct kube_request r = {
		.verb = KUBE_GET,
		.kind = kind,
		.ns = value_str(value_at(object, "metadata", "namespace", NULL)),
		.name = value_str(value_at(object, "metadata", "name", NULL)),
		.metadata_only = true,
	};
	cli_send(&in->cli, &r, a, &before, &none);
	r.verb = KUBE_APPLY;
	r.body = body.ptr;
	r.body_len = body.len;
	r.field_manager = MANAGER;
	r.force = true;
	if (cli_send(&in->cli, &r, a, &answer, err))
		return error_wrap(err, "%s", text);
	const char *old = value_str(value_at(before, "metadata", "resourceVersion", NULL));
	const char *now = value_str(value_at(answer, "metadata", "resourceVersion", NULL));
	const char *what = none.kind != ERROR_NONE ? "created"
			   : text_eq(old, now)	   ? "unchanged"
						   : "updated";
	if (text_eq(what, "unchanged"))
		in->unchanged++;
	else
		in->applied++;
	printf("  %-52s ", text);
	cli_put(&in->cli, stdout, text_eq(what, "unchanged") ? COLOR_DIM : COLOR_GOOD, what);
	putchar('\n');
	return 0;
}

static int apply_file(struct install *in, const struct embedded *f, struct error *err)
{
	struct arena *a = arena_new();
	struct value_docs docs = {0};
	AUTO(buf) text = BUF_INIT;
	int rc;

	replace(&text, f->text, f->end, in->cli.ns, in->image);
	if (in->dry_run) {
		printf("---\n%s", text.ptr);
		arena_free(a);
		return 0;
	}
	rc = value_yaml_parse(a, text.ptr, text.len, &value_limits_manifest, &docs, err);
	for (size_t i = 0; !rc && i < docs.list.len; i++)
		rc = apply_one(in, a, docs.list.items[i], err);
	value_docs_clear(&docs);
	arena_free(a);
	return rc;
}

static void on_discovered(void *arg, const struct error *err, bool changed)
{
	struct install *in = arg;

	(void)err;
	(void)changed;
	loop_stop(in->cli.loop);
}

static void on_tick(void *arg)
{
	struct install *in = arg;

	kube_discover(in->cli.kube, on_discovered, in);
}

/* A CRD is usable once discovery names its kind. */
static int await_kinds(struct install *in, struct error *err)
{
	static const char *const kinds[] = {"Application", "SyncState", "TrustPolicy"};
	struct timer timer = {0};
	int tries = 0;

	timer_init(&timer, in->cli.loop, on_tick, in);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		while (!kube_kind(in->cli.kube, "modelsync.dev", NULL, kinds[i]) &&
		       tries++ < 100) {
			timer_set(&timer, tries > 1 ? 200 : 0);
			loop_run(in->cli.loop);
		}
	timer_clear(&timer);
	return tries < 100
		       ? 0
		       : error_reason(err, ERROR_TRANSIENT, "Timeout",
				      "the CRDs are applied, but the API server doesn't serve "
				      "them after 20 s");
}

static int install(struct install *in)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < embedded_count; i++) {
		bool agent = text_eq(embedded_files[i].name, "install.yaml");
		if (agent && in->crds_only)
			continue;
		if (apply_file(in, &embedded_files[i], &err))
			return cli_error(&in->cli, &err);
	}
	if (in->dry_run)
		return EXIT_DONE;
	if (await_kinds(in, &err))
		return cli_error(&in->cli, &err);
	printf("%zu applied, %zu unchanged\n", in->applied, in->unchanged);
	if (!in->crds_only)
		printf("Next: a TrustPolicy \"default\" and an Application in namespace %s; "
		       "`modelsync status` shows them.\n",
		       in->cli.ns);
	return EXIT_DONE;
}

int cmd_install(int argc, char **argv)
{
	static const char about[] =
		"Applies the CRDs, and the agent with the rights it needs, to the cluster of "
		"the "
		"kubeconfig. Run\nit again to upgrade. The rights cover common kinds only; "
		"--dry-run prints the manifests to adapt.";
	struct install in = {.image = IMAGE_DEFAULT};
	const char *image = IMAGE_DEFAULT;
	bool crds_only = false, dry_run = false;
	const struct cli_flag flags[] = {{"image", true, &image, NULL,
					  "IMAGE  of the agent (default: " IMAGE_DEFAULT ")"},
					 {"crds-only", false, NULL, &crds_only,
					  "  only the CRDs; the agent runs elsewhere"},
					 {"dry-run", false, NULL, &dry_run,
					  "  print what would be applied, touch nothing"},
					 {NULL, false, NULL, NULL, NULL}};
	int at, code = cli_flags(&in.cli, argc, argv, flags, "install [FLAGS]", about, &at);

	in.image = image;
	in.crds_only = crds_only;
	in.dry_run = dry_run;
	if (code < 0 && (at < argc || !is_label(in.cli.ns) || !is_image(image))) {
		fprintf(stderr, "modelsync install: %s: seen \"%s\", wanted %s\n",
			at < argc	       ? "operand"
			: !is_label(in.cli.ns) ? "--namespace"
					       : "--image",
			at < argc	       ? argv[at]
			: !is_label(in.cli.ns) ? in.cli.ns
					       : image,
			at < argc	       ? "none"
			: !is_label(in.cli.ns) ? "a namespace's name"
					       : "the name of an image");
		code = EXIT_USAGE;
	}
	if (code < 0 && !dry_run && cli_connect(&in.cli))
		code = EXIT_FAILED;
	if (code < 0)
		code = install(&in);
	cli_close(&in.cli);
	return code;
}
