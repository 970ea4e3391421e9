/* cmd/verify.c - `modelsync verify`: the agent's checks of commits, in any clone, no cluster.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "trust/trust.h"
#include "value/json.h"
#include "value/yaml.h"

#define USAGE	 "verify [RANGE] [--allowed-signers FILE | --policy FILE] [-C DIR] [-o table|json]"
#define FILE_MAX (4 * 1024 * 1024)

static const char help[] =
	"Usage: modelsync " USAGE "\n\n"
	"Checks that every commit is signed by an allowed key, as the agent does before it "
	"applies\n"
	"anything. RANGE is A..B (the commits of B that A does not have), or one revision: "
	"its\n"
	"whole history, unless the policy's firstTrust says where trust begins. Default: "
	"HEAD.\n\n"
	"Flags:\n"
	"  --allowed-signers FILE   an allowed_signers file, as git takes it\n"
	"  --policy FILE            a TrustPolicy manifest\n"
	"  -C DIR                   the clone; default: this folder\n"
	"  --output FORMAT          table or json\n"
	"  --help                   this text\n\n"
	"One of the two files is needed: what the clone's own configuration or content names "
	"does\n"
	"not count.\n\n"
	"Exit codes: 0 all good, 1 some refused or unreadable, 2 wrong use.\n";

struct options {
	const char *signers, *policy, *dir, *range;
	bool json;
};

struct table {
	bool json;
	size_t good, bad;
	struct buf out;
};

static int wrong_use(const char *text, const char *seen)
{
	fprintf(stderr,
		"modelsync verify: %s%s\nUsage: modelsync " USAGE "; --help tells more\n", text,
		seen);
	return EXIT_USAGE;
}

static int fail(const struct error *err)
{
	AUTO(buf) safe = BUF_INIT;

	buf_put_safe(&safe, err->text, strlen(err->text));
	fprintf(stderr, "modelsync verify: %s: %s\n", error_code(err), safe.ptr);
	return EXIT_FAILED;
}

/* -1 to go on, or an exit code. */
static int read_flags(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {{"allowed-signers", required_argument, NULL, 's'},
					      {"policy", required_argument, NULL, 'p'},
					      {"output", required_argument, NULL, 'o'},
					      {"help", no_argument, NULL, 'h'},
					      {0}};
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "C:o:h", longs, NULL)) != -1) {
		switch (opt) {
		case 's':
			o->signers = optarg;
			break;
		case 'p':
			o->policy = optarg;
			break;
		case 'C':
			o->dir = optarg;
			break;
		case 'o':
			o->json = text_eq(optarg, "json");
			if (!o->json && !text_eq(optarg, "table"))
				return wrong_use("--output: wanted table or json, seen ",
						 optarg);
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_DONE;
		default:
			return wrong_use("unknown flag, or one without its value", "");
		}
	}
	if (argc - optind > 1)
		return wrong_use("one RANGE at most, seen also ", argv[optind + 1]);
	if (!o->signers == !o->policy)
		return wrong_use("wanted either --allowed-signers or --policy", "");
	o->range = optind < argc ? argv[optind] : "HEAD";
	return -1;
}

static int read_file(const char *path, struct buf *out, struct error *err)
{
	FILE *f = fopen(path, "re");
	char chunk[65536];
	size_t n;

	if (!f)
		return error_set(err, ERROR_INVALID, "%s: %m", path);
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && out->len <= FILE_MAX)
		buf_add(out, chunk, n);
	fclose(f);
	if (out->len > FILE_MAX)
		return error_set(err, ERROR_INVALID, "%s: more than %d bytes", path, FILE_MAX);
	return 0;
}

static int read_policy(const struct options *o, struct policy **out, struct error *err)
{
	const char *path = o->policy ? o->policy : o->signers;
	AUTO_ARENA arena = arena_new();
	AUTO(buf) text = BUF_INIT;
	AUTO(value_docs) docs = {0};
	int rc;

	if (read_file(path, &text, err) < 0)
		return -1;
	if (o->signers)
		return policy_from_allowed_signers(text.ptr, text.len, out, err) < 0
			       ? error_wrap(err, "%s", path)
			       : 0;
	rc = value_yaml_parse(arena, text.ptr, text.len, &value_limits_manifest, &docs, err);
	if (rc == 0 && (docs.list.len != 1 ||
			!text_eq(value_get_str(docs.list.items[0], "kind"), "TrustPolicy")))
		rc = error_reason(err, ERROR_INVALID, "PolicyInvalid",
				  "wanted one document of kind TrustPolicy");
	if (rc == 0)
		rc = policy_from_object(docs.list.items[0], out, err);
	return rc < 0 ? error_wrap(err, "%s", path) : 0;
}

/* ---- Rows ---- */

static void json_text(struct buf *out, const char *key, const char *s, bool last)
{
	buf_printf(out, "\"%s\": ", key);
	json_put_string(out, s, strlen(s));
	buf_puts(out, last ? "}" : ", ");
}

static void put_json(struct table *t, const struct verify_row *row, const char *hex)
{
	struct buf *out = &t->out;

	buf_puts(out, t->good + t->bad == 1 ? "\n    {" : ",\n    {");
	json_text(out, "commit", hex, false);
	json_text(out, "verdict", row->refusal.code ? "refused" : "good", false);
	json_text(out, "reason", row->refusal.code ? refusal_table[row->refusal.code].code : "",
		  false);
	json_text(out, "text", row->refusal.code ? row->refusal.text : "", false);
	json_text(out, "signer", row->principal, false);
	json_text(out, "fingerprint", row->fingerprint, false);
	json_text(out, "subject", row->subject, true);
}

static void put_row(void *arg, const struct verify_row *row)
{
	struct table *t = arg;
	char hex[OBJECT_ID_HEX];
	bool bad = row->refusal.code != REFUSAL_NONE;

	object_id_hex(&row->commit, hex);
	t->good += !bad;
	t->bad += bad;
	if (t->json) {
		put_json(t, row, hex);
		return;
	}
	buf_printf(&t->out, "%.12s  %-7s  %-24.24s  %-20s  ", hex, bad ? "refused" : "good",
		   row->principal[0] ? row->principal : "-",
		   bad ? refusal_table[row->refusal.code].code : "-");
	buf_put_safe(&t->out, row->subject, strnlen(row->subject, 60));
	buf_putc(&t->out, '\n');
	if (bad) {
		buf_puts(&t->out, "              ");
		buf_put_safe(&t->out, row->refusal.text, strlen(row->refusal.text));
		buf_printf(&t->out, "; %s\n", refusal_table[row->refusal.code].advice);
	}
}

static void print(struct table *t)
{
	if (t->json)
		printf("{\n  \"commits\": [%s%s],\n  \"good\": %zu,\n  \"refused\": %zu\n}\n",
		       t->out.ptr, t->good + t->bad ? "\n  " : "", t->good, t->bad);
	else if (t->good + t->bad)
		printf("%-12s  %-7s  %-24s  %-20s  %s\n%s%zu good, %zu refused\n", "COMMIT",
		       "VERDICT", "SIGNER", "REASON", "SUBJECT", t->out.ptr, t->good, t->bad);
	else
		puts("no new commits");
}

/* ---- Ranges ---- */

static int open_range(const struct options *o, struct revision **base, struct revision **head,
		      struct error *err)
{
	const char *dots = strstr(o->range, "..");
	AUTO_FREE char *from = dots ? mem_strndup(o->range, (size_t)(dots - o->range)) : NULL;
	const char *to = dots ? dots + 2 : o->range;
	const char *dir = o->dir ? o->dir : ".";

	if (dots && *to == '.')
		return error_set(err, ERROR_INVALID,
				 "A...B is no range of new commits; write A..B");
	if (dots && revision_local(dir, *from ? from : "HEAD", base, err) < 0)
		return -1;
	return revision_local(dir, *to ? to : "HEAD", head, err);
}

static int report(const struct options *o, const struct policy *policy, struct table *t,
		  struct error *err)
{
	struct revision *base = NULL, *head = NULL;
	int rc = open_range(o, &base, &head, err);

	if (rc == 0)
		rc = trust_report(head, base ? revision_commit(base) : NULL, policy,
				  clock_now_ms(), put_row, t, err);
	revision_free(base);
	revision_free(head);
	return rc;
}

int cmd_verify(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct options o = {0};
	struct policy *policy = NULL;
	struct table t = {.out = BUF_INIT};
	int code = read_flags(argc, argv, &o);

	if (code >= 0)
		return code;
	t.json = o.json;
	if (read_policy(&o, &policy, &err) < 0)
		return fail(&err);
	if (report(&o, policy, &t, &err) < 0) {
		code = fail(&err);
	} else {
		print(&t);
		code = t.bad ? EXIT_FAILED : EXIT_DONE;
	}
	buf_clear(&t.out);
	policy_free(policy);
	return code;
}
